# What all tests here share: a user who is not root, and waiting for events.
# shellcheck shell=bash
unset MAKEFLAGS MFLAGS MAKELEVEL STAGE_THREADS OMP_NUM_THREADS CLUSTER

# user COMMAND...: runs it as nobody where the caller is root
user()
{
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups env HOME=/nonexistent "$@"
	else
		"$@"
	fi
}

# until_true SECONDS COMMAND...: waits for an event
until_true()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
