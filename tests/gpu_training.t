#!/bin/bash
# Training on a GPU: against the CPU's curve, twice and cut to the same bytes, and when things fail.
set -u
cd "$(dirname "$0")/.." || exit 1
bin=${TM_BIN:-build/bin}
bin=$(realpath "$bin") || exit 1
export PATH=$bin:$PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

count=0
ok()
{
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}

init-weights -a deit-micro-t -o t0.h5 && make-shapes -q --set cls --split train --count 1600 -o data.h5
if ! distill-step -q --device cuda --init t0.h5 --data data.h5 --steps 1 -o x.h5 2>reason; then
	echo "1..0 # SKIP $(cat reason)"
	exit 0
fi
init-weights -a pmamba-micro-t -o s0.h5

settings='--set augment=shift --set clip=1 --set lr=2e-3 --set batch=64'
train() # NAME DEVICE PRECISION ARGUMENTS...
{
	local name=$1 device=$2 precision=$3
	shift 3
	# shellcheck disable=SC2086
	distill-step -q --no-provenance --device "$device" --precision "$precision" $settings \
		--data data.h5 -o "$name.h5" "$@"
}
student='--init s0.h5 --teacher t0.h5 --method wsab --epochs 4'

# shellcheck disable=SC2086
{
	train cpu cpu fp32 $student --metrics cpu.tsv
	train gpu cuda fp32 $student --metrics gpu.tsv
	train half cuda bf16 $student --metrics half.tsv
}
# Largest relative distance of two columns of losses.
distance()
{
	paste <(grep ^step "$1" | cut -f5) <(grep ^step "$2" | cut -f5) |
		awk '{ d = ($1 - $2) / $1; d = d < 0 ? -d : d; m = d > m ? d : m } END { print m + 0 }'
}
at_most()
{
	awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }'
}
# near_cpu NAME: gpu.tsv (fp32) and half.tsv (bf16) against cpu.tsv
near_cpu()
{
	local first all
	first=$(distance <(head -12 cpu.tsv) <(head -12 gpu.tsv))
	at_most "$first" 2e-4
	ok $? "$1, fp32: the first ten losses are the CPU's ($first)"
	all=$(distance cpu.tsv gpu.tsv)
	at_most "$all" 0.05
	ok $? "$1, fp32: all losses are near the CPU's ($all)"
	all=$(distance cpu.tsv half.tsv)
	at_most "$all" 0.1
	ok $? "$1, bf16: all losses are near the CPU's ($all)"
}
near_cpu pmamba-micro-t

for precision in fp32 bf16; do
	# shellcheck disable=SC2086
	{
		train a cuda $precision $student --state a.state
		train b cuda $precision $student --state b.state
		train c cuda $precision $student --no-cuda-graph
		rm -f d.state
		train d cuda $precision $student --state d.state --stop-after 37
		[ $? -eq 75 ]
		ok $? "$precision: a run that is stopped says 75"
		train d cuda $precision $student --state d.state
	}
	cmp a.h5 b.h5
	ok $? "$precision: two runs give the same weights"
	cmp a.state b.state
	ok $? "$precision: and the same state"
	cmp a.h5 c.h5
	ok $? "$precision: without graphs the same"
	cmp a.h5 d.h5
	ok $? "$precision: stopped and resumed the same"
	train e cuda $precision --init s0.h5 --teacher t0.h5 --method wsab --steps 5 --shards 4
	train f cuda $precision --init s0.h5 --teacher t0.h5 --method wsab --steps 5 --shards 4
	cmp e.h5 f.h5
	ok $? "$precision: four shards, twice"
	rm -f ./*.state
done

for network in vim-micro-t vmamba-micro videomamba-micro; do
	init-weights -q -a $network -o n0.h5
	other='--init n0.h5 --teacher t0.h5 --method wsab --steps 30'
	# shellcheck disable=SC2086
	{
		train n cpu fp32 $other --metrics cpu.tsv
		train n cuda fp32 $other --metrics gpu.tsv
		train h cuda bf16 $other --metrics half.tsv
		train i cuda bf16 $other --no-cuda-graph
		train j cuda bf16 $other --state j.state --stop-after 11
		train j cuda bf16 $other --state j.state
	}
	near_cpu $network
	cmp h.h5 i.h5
	ok $? "$network, bf16: without graphs the same"
	cmp h.h5 j.h5
	ok $? "$network, bf16: stopped and resumed the same"
	rm -f ./*.state
done

train x cuda fp32 --init t0.h5 --set lr=1000 --set decay=10 --set clip=0 --steps 30 2>error
[ $? -eq 3 ] && grep -qE 'not finite|overflows' error
ok $? "numbers that are not finite: 3, and where ($(cut -c1-100 error))"
train x cuda:99 fp32 --init t0.h5 --steps 1 2>error
[ $? -eq 69 ] && grep -q 'no CUDA device 99' error
ok $? "a device that is not there: 69"
init-weights -a deit-b -o big.h5 --classes 48
make-shapes -q --set cls --split train --count 3000 -o many.h5
distill-step -q --device cuda --init big.h5 --data many.h5 --batch 3000 --steps 1 -o x.h5 2>error
[ $? -eq 71 ] && grep -q 'MiB asked for' error
ok $? "more memory than there is: 71, what was asked for and what is free"
echo "1..$count"
