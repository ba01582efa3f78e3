# Installs what a script here needs: to be sourced, then
#
#   install_missing PROGRAM:PACKAGE…      Debian's names; a path with wildcards may stand for the program
#
# shellcheck shell=bash

# Servers are not on everybody's path.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing_packages() {
    local entry program
    for entry in "$@"; do
        program=${entry%%:*}
        command -v "$program" >/dev/null || compgen -G "$program" >/dev/null || echo "${entry#*:}"
    done | sort -u
}

# Prints what becomes root here: nothing if we are, sudo if it asks for no password. Fails if neither works.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        return
    fi
    sudo -n true 2>/dev/null && echo sudo
}

# Run as root with the packages as arguments. The servers among them are for tests and measurements: they must not be started
# as services of this machine, which a policy that says no prevents (invoke-rc.d(8)). One that is there already is the owner's
# business.
# shellcheck disable=SC2016 # expanded by the shell that runs it
install_quietly='
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
        trap "rm -f $policy" EXIT
        trap "exit 1" HUP INT TERM
        printf "#!/bin/sh\nexit 101\n" >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null
'

install_missing() {
    local packages root
    packages=$(missing_packages "$@")
    [[ -n $packages ]] || return 0
    if ! command -v apt-get >/dev/null || ! root=$(as_root); then
        echo "missing, and can't be installed from here: ${packages//$'\n'/ } (names as in Debian)" >&2
        return 1
    fi
    echo "installing ${packages//$'\n'/ }"
    # shellcheck disable=SC2086 # sudo or nothing, and a list of packages
    $root env DEBIAN_FRONTEND=noninteractive sh -ec "$install_quietly" sh $packages
}
