# Everything that a checkout can do. Needs Node 20.19 or newer, Go 1.26 or newer, a C compiler and Python 3 with pip; rehearsals need root on Linux besides.
.DELETE_ON_ERROR:
.PHONY: plan rehearse rehearse-preview rehearse-node rehearse-day2 rehearse-down rehearse-run test small-tests check unit go-test policy-test observability-test clouds-test envoy-test engine-test campaign tailnet-test upgrade-test clean

TS := node --require ts-node/register/transpile-only
export npm_config_fund := false
export npm_config_audit := false

## make rehearse: three clouds of real Kubernetes nodes on this machine, and the mesh on them; NETWORK=tailscale connects them by a tailnet, TRUST=single gives them one trust domain, TOPOLOGY=central one SPIRE server, TOPOLOGY=nested one above the others, SPIRE=1.14 an older SPIRE, which `make rehearse-day2` upgrades.
## Needs root on Linux
rehearse: node_modules/.package-lock.json
	@$(TS) rehearsal/main.ts up

## make rehearse-preview: what `make rehearse` would change
rehearse-preview: node_modules/.package-lock.json
	@$(TS) rehearsal/main.ts preview

## make rehearse-node CLOUD=aws: a second node for one of the clouds, which keeps it
rehearse-node: node_modules/.package-lock.json
	@$(TS) rehearsal/main.ts node $(CLOUD)

## make rehearse-day2: what comes after the first day (rotation, eviction, loss, another database, an upgrade), each while agents call each other; a table of calls made and lost.
## EVENTS="'API server' database" tries those alone whose name has one of these words
rehearse-day2: node_modules/.package-lock.json
	@$(TS) rehearsal/main.ts day2 $(EVENTS)

## make rehearse-down: stops the clouds and removes all but programs and images
rehearse-down: node_modules/.package-lock.json
	@$(TS) rehearsal/main.ts down

## make rehearse-run CMD="npx mesh verify": a command where the clouds are reached
rehearse-run: node_modules/.package-lock.json
	@$(TS) rehearsal/main.ts run -- sh -c '$(CMD)'

## make plan: what stack STACK (dev) stands up in network mode NETWORK (its own); nothing is applied
plan: node_modules/.package-lock.json
	@npx mesh plan --stack $(or $(STACK),dev) $(if $(NETWORK),--network $(NETWORK))

## make test: every check there is
test: small-tests envoy-test engine-test

## make small-tests: those of them in which no time counts, two at a time, each with what it said when it ends
small-tests: node_modules/.package-lock.json
	@$(MAKE) --no-print-directory -j2 --output-sync check unit clouds-test observability-test policy-test go-test

## make check: types, lint, format, import circles, unused code
check: node_modules/.package-lock.json
	npm run --silent check

## make unit: tests that need no process but their own
unit: node_modules/.package-lock.json
	npx jest --selectProjects unit

## make go-test: programs in Go that are ours
go-test: export GOFLAGS = -trimpath '-gcflags=all=-l -dwarf=false'
go-test: export CGO_ENABLED = 0
go-test:
	cd rehearsal/programs/csi && go vet ./... && go test ./...
	cd rehearsal/programs/collector && go vet ./...

## make policy-test: the policy's own tests, and properties of it, by a real OPA; builds it on the first run
policy-test: node_modules/.package-lock.json
	npx jest --selectProjects policies

## make observability-test: Prometheus' configuration and rules, by its own promtool; builds it on the first run
observability-test: node_modules/.package-lock.json
	npx jest --selectProjects observability

## make clouds-test: stacks dev and prod by the real engine, previewed, stood up, changed and destroyed on clouds that only echo; builds it on the first run
clouds-test: node_modules/.package-lock.json
	npx jest --selectProjects clouds

## make envoy-test: Envoy beside programs, with real identities and decisions, and attacked. It builds SPIRE, which then reads what is rendered for it
envoy-test: node_modules/.package-lock.json
	npx jest --selectProjects envoy --runInBand
	SPIRE_SERVER=$(CURDIR)/.rehearsal/bin/spire-server SPIRE_AGENT=$(CURDIR)/.rehearsal/bin/spire-agent npx jest --selectProjects unit --testPathPattern 'unit/spire/(conf|storage|node-attestors)'

## make engine-test: the provider and the rehearsal on real nodes, with the real engine and the real SPIRE; needs root on Linux
engine-test: node_modules/.package-lock.json
	@$(TS) rehearsal/main.ts --root .rehearsal-test/world --program postgres --program spire-controller-manager within -- npx jest --selectProjects engine --runInBand --testPathIgnorePatterns engine/tailnet.test

## make campaign: the engine, its program, a SPIRE server, the API server, etcd or the kubelet is killed at a step that is drawn, RUNS (300) times; SEED (1) draws others, FROM (1) is the number
## of the first run: a run that failed says the command that does it again. Needs root on Linux; a night. `make test` has six
campaign: node_modules/.package-lock.json
	@$(TS) rehearsal/main.ts --root .rehearsal-test/world within -- env SEED=$(or $(SEED),1) FROM=$(or $(FROM),1) RUNS=$(or $(RUNS),300) npx jest --selectProjects engine --runInBand --testPathPattern engine/provider-cluster --testNamePattern 'A campaign'

## make tailnet-test: the rehearsal of a tailnet as a test; needs root on Linux. Not part of `make test`, which would take a third longer
tailnet-test: node_modules/.package-lock.json
	@NETWORK=tailscale $(TS) rehearsal/main.ts --root .rehearsal-test/world within -- env -u NETWORK npx jest --selectProjects engine --runInBand --testPathPattern engine/tailnet.test

## make upgrade-test: the real SPIRE upgraded over two minor versions, which it builds: minutes on the first run. Not part of `make test`
upgrade-test: node_modules/.package-lock.json
	npx jest --selectProjects upgrade

clean: rehearse-down
	rm -rf .rehearsal .rehearsal-test node_modules

node_modules/.package-lock.json: package-lock.json
	npm ci --no-progress --loglevel=error
