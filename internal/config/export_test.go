package config

// Parse reads the content of a configuration file that only its owner can read.
func Parse(name string, data []byte, environ []string) (*Config, []Warning, error) {
	return load(name, data, environ, false)
}
