#!/bin/sh
# Renders the chart for a place, as `helm template` would, into deployed/manifest.yaml. Where a cluster is at hand, the
# last line is `helm upgrade --install storefront Chart --namespace "$place" --set image.tag="$tag"` instead.
set -eu
place=$1 tag=$2
mkdir -p deployed
for template in Chart/templates/*.yaml; do
  echo "---"
  sed -e "s/{{ .Release.Namespace }}/$place/" -e "s/{{ .Values.image.tag }}/$tag/" \
    -e "s/{{ .Values.replicas }}/$REPLICAS/" "$template"
done > deployed/manifest.yaml
if grep -n '{{' deployed/manifest.yaml; then echo "a value is missing" >&2; exit 1; fi
echo "storefront $tag with $REPLICAS replica(s) for $place"
