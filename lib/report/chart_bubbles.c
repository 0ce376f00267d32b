/*
 * Bubbles: the range of the axes, and a place for every name where it covers no other name and as
 * few discs as can be, joined to its disc by a line where it is not beside it. Reckoned in pixels
 * of the panel, from what gnuplot is known to make of fonts and margins.
 */
#include <math.h>
#include <string.h>
#include "lib/report/chart_internal.h"
#include "lib/report/gnuplot.h"

enum {
	NAMES_MOST = 256,
	LETTER = 6,
	LINE = 12,
	MARGIN_X = 110,
	MARGIN_Y = 85,
	KEY = 90,
	KEY_LETTER = 9
};

#define PIXELS 3.2 /* half of gnuplot's point size 1 */

struct box {
	double x, y, width, height; /* x, y: the middle */
};

struct bubble {
	int row;
	double x, y, radius; /* pixels; y upwards */
	struct box name;
};

struct axis {
	double low, high; /* as drawn: logarithms on a logarithmic axis */
	int log;
};

struct frame {
	struct axis x, y;
	double width, height;
	struct bubble bubble[NAMES_MOST];
	int count;
};

static double scaled(const struct axis *a, double value)
{
	return a->log ? log10(value) : value;
}

static void widen(struct axis *a, double below, double above)
{
	double span = a->high - a->low;

	if (!(span > 0))
		span = a->low != 0 ? fabs(a->low) : 1;
	a->low -= below * span;
	a->high += above * span;
}

/* Where a row's bubble lies in this panel, as drawn; 0: it has none. */
static int bubble_of(const struct frame *f, const struct chart_view *v, const char *column, int row,
	struct bubble *b)
{
	if (!chart_number(v, row, v->c->x, &b->x) || !chart_number(v, row, column, &b->y) ||
		(f->x.log && !(b->x > 0)) || (f->y.log && !(b->y > 0)))
		return 0;
	b->row = row;
	b->x = scaled(&f->x, b->x);
	b->y = scaled(&f->y, b->y);
	b->radius = PIXELS * chart_point_size(v, row);
	return b->radius > 0;
}

static void include(struct axis *a, double value)
{
	a->low = fmin(a->low, value);
	a->high = fmax(a->high, value);
}

static double along(const struct axis *a, double value, double pixels)
{
	return (value - a->low) / (a->high - a->low) * pixels;
}

/* Ranges of all rows; f->bubble gets those that have a name. */
static void measure(struct frame *f, const struct chart_view *v, const char *column)
{
	struct bubble b;
	size_t widest = 0;

	f->x = (struct axis){INFINITY, -INFINITY, v->c->log_x};
	f->y = (struct axis){INFINITY, -INFINITY, v->c->log_y};
	for (int row = 0; row < v->rows->rows; row++) {
		if (!bubble_of(f, v, column, row, &b))
			continue;
		include(&f->x, b.x);
		include(&f->y, b.y);
		if (f->count < NAMES_MOST)
			f->bubble[f->count++] = b;
	}
	widen(&f->x, 0.1, 0.15);
	widen(&f->y, 0.3, 0.3);
	for (int i = 0; i < v->group_count; i++)
		if (strlen(v->groups[i]) > widest)
			widest = strlen(v->groups[i]);
	f->width = CHART_WIDTH - MARGIN_X - (v->c->group ? KEY + KEY_LETTER * (double)widest : 0);
	f->height = CHART_PANEL_HEIGHT - MARGIN_Y;
	for (int i = 0; i < f->count; i++) {
		f->bubble[i].x = along(&f->x, f->bubble[i].x, f->width);
		f->bubble[i].y = along(&f->y, f->bubble[i].y, f->height);
	}
}

/* The area that two boxes share. */
static double shared(const struct box *a, const struct box *b)
{
	double x = (a->width + b->width) / 2 - fabs(a->x - b->x);
	double y = (a->height + b->height) / 2 - fabs(a->y - b->y);

	return x > 0 && y > 0 ? x * y : 0;
}

static double outside(const struct frame *f, const struct box *a)
{
	double x = fmax(0, a->width / 2 - a->x) + fmax(0, a->x + a->width / 2 - f->width);
	double y = fmax(0, a->height / 2 - a->y) + fmax(0, a->y + a->height / 2 - f->height);

	return x * a->height + y * a->width;
}

/* How bad a place is for the name of bubble i, the names before it being placed. */
static double cost(const struct frame *f, int i, const struct box *place)
{
	const struct bubble *b = &f->bubble[i];
	double bad = 20 * outside(f, place) + hypot(place->x - b->x, place->y - b->y) / 2;

	for (int j = 0; j < f->count; j++) {
		const struct bubble *other = &f->bubble[j];
		struct box disc = {other->x, other->y, 1.8 * other->radius, 1.8 * other->radius};

		bad += shared(place, &disc) / 2;
		if (j < i)
			bad += 10 * shared(place, &other->name);
	}
	return bad;
}

static void place(struct frame *f, const struct chart_view *v, int i)
{
	struct bubble *b = &f->bubble[i];
	double least = INFINITY;
	struct box box = {0, 0,
		LETTER * (2 + (double)strlen(tsv_get(v->rows, b->row, v->c->label))), LINE + 1};

	for (int up = 0; up < 31; up++)
		for (int side = -8; side <= 8; side++) {
			int lines = up % 2 ? -(up + 1) / 2 : up / 2;
			double bad;

			box.x = b->x + side / 4.0 * (b->radius + 4 + box.width / 2);
			box.y = b->y + lines * (double)LINE;
			bad = cost(f, i, &box);
			if (bad < least) {
				least = bad;
				b->name = box;
			}
		}
}

/* A line from the disc to the nearest place of its name, where they are apart. */
static void put_line(FILE *file, const struct frame *f, int i)
{
	const struct bubble *b = &f->bubble[i];
	const struct box *n = &b->name;
	double x = fmin(fmax(b->x, n->x - n->width / 2), n->x + n->width / 2);
	double y = fmin(fmax(b->y, n->y - n->height / 2), n->y + n->height / 2);

	if (hypot(x - b->x, y - b->y) < b->radius + LINE)
		return;
	fprintf(file,
		"set arrow from graph %.4f, graph %.4f to graph %.4f, graph %.4f nohead lw 0.7 lc "
		"rgb "
		"'#777777' back\n",
		b->x / f->width, b->y / f->height, x / f->width, y / f->height);
}

static void put_range(FILE *file, const char *name, const struct axis *a)
{
	fprintf(file, "set %srange [%.10g:%.10g]\n", name, a->log ? pow(10, a->low) : a->low,
		a->log ? pow(10, a->high) : a->high);
}

void chart_put_bubbles(FILE *file, const struct chart_view *v, const char *column)
{
	struct frame f = {.count = 0};

	fputs("unset label\nunset arrow\n", file);
	measure(&f, v, column);
	if (!f.count)
		return;
	put_range(file, "x", &f.x);
	put_range(file, "y", &f.y);
	for (int i = 0; i < f.count; i++) {
		const struct bubble *b = &f.bubble[i];

		place(&f, v, i);
		fputs("set label ", file);
		gnuplot_quote(file, tsv_get(v->rows, b->row, v->c->label));
		fprintf(file, " at graph %.4f, graph %.4f center font ',8' front\n",
			b->name.x / f.width, b->name.y / f.height);
		put_line(file, &f, i);
	}
}
