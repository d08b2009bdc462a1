// Package demo holds what `gateway demo` needs besides the gateway itself: an
// OpenID Connect provider that stands for a foreign one (Provider), two apps
// to protect (Whoami, Wiki), and fresh passwords (Password). It is for trying
// things out on one machine: the provider asks nobody for a password, and
// keeps everything in memory.
package demo
