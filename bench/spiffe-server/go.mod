// A server with mutual TLS by SPIFFE's own Go library, to compare with.
module agentweave-mesh/bench/spiffe-server

go 1.26.0

require github.com/spiffe/go-spiffe/v2 v2.8.1
