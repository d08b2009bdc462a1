package sqlite

import (
	"errors"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Remedy says what an operator can do about an error of the engine or the
// disk; empty: nothing that we know of.
func Remedy(err error) string {
	refusal, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return ""
	}
	switch refusal.Code() & 0xff { // the rest says what was being done
	case lib.SQLITE_FULL:
		return "make space on the disk of the data folder; it goes on by itself"
	case lib.SQLITE_IOERR:
		return "look at the disk of the data folder: is there space, may its files grow, is it read-only (remount it), does the kernel report errors? It goes on by itself"
	case lib.SQLITE_READONLY:
		return "make the data folder and its files writable for the gateway's user: was the disk mounted read-only? Remount it"
	case lib.SQLITE_CANTOPEN:
		return "is the data folder there, and its disk mounted? May the gateway open more files (ulimit -n)?"
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return "stop the gateway and restore the data folder from a backup"
	}
	return ""
}
