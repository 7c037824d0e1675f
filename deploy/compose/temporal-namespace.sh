#!/bin/sh
# Makes the namespace of Sluice when the cluster answers. It may run again.
set -eu

until temporal operator cluster health >/dev/null 2>&1; do
	sleep 1
done
temporal operator namespace describe --namespace sluice >/dev/null 2>&1 ||
	temporal operator namespace create --namespace sluice --retention 72h
