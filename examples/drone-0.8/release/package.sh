#!/bin/sh
# Packs what a release holds, under its version.
set -eu
version=$1
mkdir -p dist
tar -czf "dist/storefront-$version.tar.gz" Dockerfile Chart src package.json
ls -l dist
