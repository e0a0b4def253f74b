#!/bin/sh
# install.sh: installs haproxy from Debian's packages (2.6.12 in Debian 12); its service is not needed.
set -eu
[ -x /usr/sbin/haproxy ] && exit 0
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 haproxy
