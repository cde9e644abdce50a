#!/bin/sh
# Formatting, vet, a tidy go.mod, and that the other systems still compile.
set -eu
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
	echo "not formatted by gofmt:" >&2
	echo "$unformatted" >&2
	exit 1
fi
go vet ./...
go vet -tags clients,desktop ./build/...
go mod tidy -diff
for target in windows/amd64 darwin/arm64; do
	CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go build -o /dev/null ./app/cmd/glmtray
done
echo "lint: ok"
