#!/usr/bin/env bats
# plot-chart: every kind draws what the rows say, leaves out what they lack, and refuses the rest.

load tools

setup()
{
	work=$(mktemp -d)
	cd "$work"
	printf 'method\tgroup\tstudent\tteacher\tx\ttop\tsd\n' > rows.tsv
	printf "A\tfirst\t3\t5\t1\t40\t2\nB's\tfirst\t4\t-\t2\t50\t1\nC\tsecond\t2\t2\t10\t-\t-\n" >> rows.tsv
}

teardown()
{
	cd /
	rm -rf "$work"
}

need_gnuplot()
{
	command -v gnuplot > /dev/null || skip "gnuplot is not installed"
}

# drawn NAME WORD...: both pictures are there, and the SVG has the words
drawn()
{
	local name=$1 word
	shift
	[ -s "$name.png" ] && [ -s "$name.svg" ]
	for word; do
		grep -qF -e "$word" "$name.svg" || { echo "no '$word' in $name.svg"; return 1; }
	done
	[ "$(ls "$name".* | wc -l)" -eq 2 ]
}

# boxes FILE: how many areas it fills, the background's one left out
boxes()
{
	grep -c '<polygon' "$1"
}

@test "bars stack; a panel without a number says so" {
	need_gnuplot
	expect 0 plot-chart --kind bars --label method --panel seconds --y student --y teacher=master \
		--panel energy --if-measured --y joules --title 'A & B' -o bars rows.tsv
	drawn bars seconds student master 'not measured' 'A &amp; B' "B's"
	expect 0 plot-chart --kind bars --label method --y student -o one rows.tsv
	# two of three rows have a teacher
	[ "$(boxes bars.svg)" -eq "$(($(boxes one.svg) + 3))" ]
}

@test "points, bubbles, lines and cells" {
	need_gnuplot
	expect 0 plot-chart --kind points --label method --group group --y 'top=top-1 (%)' --error sd \
		--base A -o points rows.tsv
	drawn points 'top-1 (%)' "B's" C
	[ "$(grep -c "use xlink:href='#gpPt6'" points.svg)" -eq 2 ] # the third has no number
	expect 0 plot-chart --kind bubbles --label method --x 'x=time' --size student --y top --log x \
		-o bubbles rows.tsv
	drawn bubbles time A
	expect 0 plot-chart --kind lines --group method --x x --y student -o lines rows.tsv
	drawn lines "B's" C
	printf 'epoch\tlayer\tw\n1\tl1\t.2\n1\tl2\t.3\n2\tl1\t.5\n2\tl2\t.7\n' > values.tsv
	expect 0 plot-chart --kind cells --label layer --x epoch --panel weight --y w -o cells values.tsv
	drawn cells l1 l2 weight
}

@test "names of bubbles at one place stand apart" {
	need_gnuplot
	{
		printf 'name\tx\ty\tsize\n'
		for i in 1 2 3 4 5 6 7 8; do printf 'network-%s\t3\t4\t5\n' $i; done
	} > same.tsv
	expect 0 plot-chart --kind bubbles --label name --x x --size size --y y -o same same.tsv
	[ "$(grep -c 'network-[0-9]' same.svg)" -eq 8 ]
	grep -B1 'network-[0-9]' same.svg | sed -n 's/.*translate(\([0-9.]*\),\([0-9.]*\)).*/\1 \2/p' > places
	[ "$(wc -l < places)" -eq 8 ]
	# eleven letters of six pixels, lines of twelve
	awk '{ for (i in x) if ((x[i] - $1) ^ 2 < 60 ^ 2 && (y[i] - $2) ^ 2 < 11 ^ 2) exit 1; x[NR] = $1; y[NR] = $2 }' places
}

@test "the same rows give the same bytes" {
	need_gnuplot
	for name in one two; do
		plot-chart --kind bars --label method --y student -o $name rows.tsv
	done
	cmp one.svg two.svg
	cmp one.png two.png
}

@test "refused: called wrongly 64, missing 66, no such column 65, no gnuplot 69" {
	expect 64 plot-chart --kind bars --y student -o p rows.tsv
	message 'bars need --label'
	expect 64 plot-chart --kind bubbles --label method --x x --y top -o p rows.tsv
	message 'need --size'
	expect 64 plot-chart --kind cells --label method --y top -o p rows.tsv
	expect 64 plot-chart --kind lines --group method --x x --panel p --y top --y sd -o p rows.tsv
	expect 64 plot-chart --kind pie --y student -o p rows.tsv
	expect 64 plot-chart --label method --y student -o p rows.tsv
	expect 64 plot-chart --kind bars --label method --y student --base A -o p rows.tsv
	expect 64 plot-chart --kind bars --label method --panel "$(printf 'a\nb')" --y student -o p rows.tsv
	expect 65 plot-chart --kind bars --label method --y joules -o p rows.tsv
	message 'rows.tsv: has no column joules'
	expect 66 plot-chart --kind bars --label method --y student -o p none.tsv
	expect 69 env PATH=/nonexistent "$(command -v plot-chart)" --kind bars --label method --y student -o p rows.tsv
	[ -z "$(ls p* 2> /dev/null)" ]
}

@test "a folder that is not there: 73, and nothing is left" {
	need_gnuplot
	expect 73 plot-chart --kind bars --label method --y student -o none/p rows.tsv
	[ "$(ls)" = rows.tsv ]
}
