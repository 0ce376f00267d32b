/* Pictures of curves by gnuplot; see plot.h. */
#include "lib/report/plot.h"

#include <math.h>
#include "lib/base/error.h"
#include "lib/report/gnuplot.h"

enum { WIDTH = 900, PANEL_HEIGHT = 420 };

struct panels {
	const struct panel *panel;
	int count;
};

static int check_names(const struct panel *panels, int count)
{
	for (int p = 0; p < count; p++) {
		TRY(gnuplot_check_name(panels[p].x));
		TRY(gnuplot_check_name(panels[p].words));
		for (int c = 0; c < panels[p].count; c++)
			TRY(gnuplot_check_name(panels[p].curves[c].label));
	}
	return 0;
}

static void put_blocks(FILE *f, const struct panel *panels, int count)
{
	for (int p = 0; p < count; p++)
		for (int c = 0; c < panels[p].count; c++) {
			const struct curve *curve = &panels[p].curves[c];

			fprintf(f, "$data_%d_%d << END\n", p, c);
			for (int i = 0; i < curve->points; i++)
				fprintf(f, "%.10g %.10g %.10g %.10g\n", curve->x[i], curve->mean[i],
					curve->mean[i] - curve->sd[i],
					curve->mean[i] + curve->sd[i]);
			fputs("END\n", f);
		}
}

static int has_band(const struct curve *c)
{
	for (int i = 0; i < c->points; i++)
		if (c->n[i] > 1)
			return 1;
	return 0;
}

static void put_panel(FILE *f, const struct panel *panel, int p)
{
	const char *mark = "plot ";

	fputs("set xlabel ", f);
	gnuplot_quote(f, panel->x);
	fputs("\nset ylabel ", f);
	gnuplot_quote(f, panel->words);
	fputc('\n', f);
	for (int c = 0; c < panel->count; c++) {
		const char *colour = gnuplot_colour(c);

		if (has_band(&panel->curves[c])) {
			fprintf(f,
				"%s$data_%d_%d using 1:3:4 with filledcurves fs transparent solid "
				"0.2 noborder lc rgb '%s' notitle",
				mark, p, c, colour);
			mark = ", ";
		}
		fprintf(f,
			"%s$data_%d_%d using 1:2 with linespoints pt 7 ps 0.5 lw 2 lc rgb '%s' "
			"title ",
			mark, p, c, colour);
		gnuplot_quote(f, panel->curves[c].label);
		mark = ", ";
	}
	fputc('\n', f);
}

/* All panels show the same part of x. */
static void put_range(FILE *f, const struct panel *panels, int count)
{
	double low = INFINITY, high = -INFINITY;

	for (int p = 0; p < count; p++)
		for (int c = 0; c < panels[p].count; c++) {
			const struct curve *k = &panels[p].curves[c];

			low = fmin(low, k->x[0]);
			high = fmax(high, k->x[k->points - 1]);
		}
	if (high > low)
		fprintf(f, "set xrange [%.10g:%.10g]\n", low, high);
}

static void put_data(FILE *f, const void *what)
{
	const struct panels *p = what;

	put_range(f, p->panel, p->count);
	put_blocks(f, p->panel, p->count);
}

static void put_one(FILE *f, const void *what, int panel)
{
	put_panel(f, &((const struct panels *)what)->panel[panel], panel);
}

int plot_write(const char *stem, const char *title, const struct panel *panels, int count)
{
	struct panels all = {panels, count};

	TRY(check_names(panels, count));
	return gnuplot_draw(&(struct picture){.stem = stem,
		.title = title,
		.width = WIDTH,
		.height = PANEL_HEIGHT * count,
		.panels = count,
		.what = &all,
		.put_data = put_data,
		.put_panel = put_one});
}
