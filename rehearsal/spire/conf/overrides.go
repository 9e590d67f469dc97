package conf

// Overrides are the command-line flags of `run` that take the place of values in the file.
type Overrides struct {
	BindAddress, DataDir, LogFile, LogFormat, LogLevel, SocketPath, TrustDomain string
	BindPort                                                                    int
	// ExpandEnv replaces $NAME and ${NAME} in the file by environment variables.
	ExpandEnv bool
}

// merge settles each value: a flag, else the file, else SPIRE's default.
func (s *serverBlock) merge(f Overrides) {
	first := func(target *string, values ...string) {
		for _, v := range append([]string{values[0], *target}, values[1:]...) {
			if v != "" {
				*target = v
				return
			}
		}
	}
	first(&s.BindAddress, f.BindAddress, "0.0.0.0")
	first(&s.CATTL, "", "24h")
	first(&s.DataDir, f.DataDir)
	first(&s.DefaultX509SVIDTTL, "", "1h")
	first(&s.LogFile, f.LogFile)
	first(&s.LogFormat, f.LogFormat, "text")
	first(&s.LogLevel, f.LogLevel, "INFO")
	first(&s.SocketPath, f.SocketPath, DefaultSocketPath)
	first(&s.TrustDomain, f.TrustDomain)
	if f.BindPort != 0 {
		s.BindPort = f.BindPort
	}
	if s.BindPort == 0 {
		s.BindPort = 8081
	}
}
