// Package deploy holds the tests of the deployment files: the Dockerfile,
// docker-compose.yml, the Helm chart, the systemd unit, the alerts and the
// dashboard. They are loaded with the libraries of the programs that read them,
// because no container runs where the tests do. It is a module of its own, so that
// those libraries are none of Sluice's.
package deploy
