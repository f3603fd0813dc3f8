# make          build bin/rouse
# make test     everything: format, vet, lint, unit tests, real servers (race detector on)
# make demo     the story of a phone that falls asleep and is woken; ARGS=--once ends after it, ARGS=--redis is on a Redis,
#               ARGS="--server ejabberd" is on an ejabberd
# make bench    rouse bench wake
# make soak     everything that can break is broken, again and again, three times too much, and random histories on both servers at once
#               (docs/reliability.md); ARGS="-soak.seed=7 -soak.for=10m", ARGS="-histories.seed=7 -histories.n=50"; before that the rules and their oracle
#               decide a million random histories, ORACLE="-oracle.seed=7"
# make fuzz     each fuzz target for FUZZTIME (default 30s)

SERVERS = prosody prosody-modules lua-dbi-sqlite3 lua-luaossl ejabberd python3-slixmpp redis-server sqlite3 slapd 389-ds-base krb5-kdc krb5-admin-server libsasl2-modules-gssapi-mit curl msmtp
TOOLS = git gcc libc6-dev
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build test demo bench soak lint fuzz servers tools clean

build:
	go build -trimpath -ldflags "-X main.release=$(VERSION)" -o bin/rouse ./cmd/rouse

servers:
	@deploy/need $(SERVERS)

tools: # git lists the files to lint, the race detector needs a C compiler
	@deploy/need $(TOOLS)

test: servers tools lint
	go test -race -shuffle=on -timeout 60m -p 1 ./... # the tests of a package are many at a time already

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

demo: servers build
	@bin/rouse demo $(ARGS)

bench: build
	bin/rouse bench wake $(ARGS)

soak: servers tools
	go test -timeout 24h -run '^TestOracle$$' -v ./business/oracle -oracle.n=1000000 $(ORACLE)
	go test -timeout 24h -run '^(TestSoak|TestOverload|TestHistories)$$' -v ./cmd/rouse -overload.for=60s -overload.strict -histories.n=200 $(ARGS)

fuzz:
	@for p in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; \
	done

clean:
	rm -rf bin
