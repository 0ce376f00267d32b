/* Printing tables; see render.h. */
#include "lib/report/render.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"

/* Text in rows and columns; row 0 is the header, column 0 the labels. */
struct grid {
	int columns, rows, room;
	char **cell; /* column by column: cell[column * rows + row] */
	int failed;
};

static char **new_column(struct grid *g)
{
	size_t rows = (size_t)g->rows;

	if (g->columns == g->room) {
		int room = 2 * g->room + 8;
		char **grown = memory_grow(g->cell, (size_t)room * rows, sizeof(char *));

		if (!grown) {
			g->failed = 1;
			return NULL;
		}
		memset(grown + (size_t)g->room * rows, 0,
			(size_t)(room - g->room) * rows * sizeof(char *));
		g->cell = grown;
		g->room = room;
	}
	return g->cell + (size_t)g->columns++ * rows;
}

static void grid_release(struct grid *g)
{
	for (size_t i = 0; i < (size_t)g->columns * (size_t)g->rows; i++)
		free(g->cell[i]);
	free(g->cell);
}

__attribute__((format(printf, 3, 4))) static void put(
	struct grid *g, char **cell, const char *format, ...)
{
	va_list ap;

	free(*cell);
	va_start(ap, format);
	if (vasprintf(cell, format, ap) < 0) {
		*cell = NULL;
		g->failed = 1;
		error(STATUS_SYSTEM, "out of memory");
	}
	va_end(ap);
}

/* Appends a column of one cell a shown row; value NAN: a dash. */
static void add_numbers(struct grid *g, const struct table *t, const char *heading,
	const char *suffix, const double *value, int sign)
{
	char **column = new_column(g);
	int at = 1;

	if (!column)
		return;
	put(g, column, "%s%s", heading, suffix);
	for (int row = 0; row < t->layout.rows.count; row++) {
		if (!t->shown[row])
			continue;
		if (isnan(value[row]))
			put(g, column + at++, "-");
		else
			put(g, column + at++, sign ? "%+.*f" : "%.*f", t->layout.decimals,
				value[row]);
	}
}

static void put_cell(struct grid *g, char **cell, const struct cell *c, int decimals)
{
	if (!c->n)
		put(g, cell, "-");
	else if (c->n == 1)
		put(g, cell, "%.*f", decimals, c->mean);
	else
		put(g, cell, "%.*f ± %.*f (%d)", decimals, c->mean, decimals, c->sd, c->n);
}

static void add_ours(
	struct grid *g, const struct table *t, const char *heading, const struct measure *m)
{
	char **column = new_column(g);
	int at = 1;

	if (!column)
		return;
	put(g, column, "%s", heading);
	for (int row = 0; row < t->layout.rows.count; row++)
		if (t->shown[row])
			put_cell(g, column + at++, &m->ours[row], t->layout.decimals);
	if (!m->any_delta || !(column = new_column(g)))
		return;
	put(g, column, "Δ");
	at = 1;
	for (int row = 0; row < t->layout.rows.count; row++) {
		if (!t->shown[row])
			continue;
		if (m->delta[row].n)
			put(g, column + at++, "%+.*f", t->layout.decimals, m->delta[row].mean);
		else
			put(g, column + at++, "-");
	}
}

/* The same for programs: mean, sd, n and difference apart. */
static int add_split(
	struct grid *g, const struct table *t, const char *heading, const struct measure *m)
{
	static const char *const suffixes[] = {"", " sd", " n", " delta"};
	double *value = memory_new((size_t)t->layout.rows.count, sizeof(*value));

	for (int part = 0; value && part < 4; part++) {
		for (int row = 0; row < t->layout.rows.count; row++) {
			const struct cell *c = &m->ours[row], *d = &m->delta[row];

			value[row] = part == 0	 ? (c->n ? c->mean : NAN)
				     : part == 1 ? (c->n > 1 ? c->sd : NAN)
				     : part == 2 ? (c->n ? c->n : NAN)
						 : (d->n ? d->mean : NAN);
		}
		if (part == 2) {
			struct table whole = *t;

			whole.layout.decimals = 0;
			add_numbers(g, &whole, heading, suffixes[part], value, 0);
		} else if (part < 3 || m->any_delta) {
			add_numbers(g, t, heading, suffixes[part], value, part == 3);
		}
	}
	free(value);
	return value ? 0 : STATUS_SYSTEM;
}

static void add_paper_delta(struct grid *g, const struct table *t, const struct measure *m,
	const char *heading, int plain)
{
	double half = 0.5 * pow(10, -t->layout.decimals);
	char **column = new_column(g);
	int at = 1;

	if (!column)
		return;
	put(g, column, plain ? "%s, paper's delta" : "Δ", heading);
	for (int row = 0; row < t->layout.rows.count; row++) {
		double printed = m->paper_delta[row], reckoned = m->paper_reckoned[row];

		if (!t->shown[row])
			continue;
		if (isnan(printed))
			put(g, column + at++, "-");
		else if (!plain && fabs(printed - reckoned) > half + 1e-9)
			put(g, column + at++, "%+.*f [%+.*f]", t->layout.decimals, printed,
				t->layout.decimals, reckoned);
		else
			put(g, column + at++, "%+.*f", t->layout.decimals, printed);
	}
}

static int add_measure(struct grid *g, const struct table *t, int index, int plain)
{
	const struct measure *m = &t->measures[index];
	const char *heading = t->layout.measures.line[index].field[MEASURE_HEADING];

	if (m->ours && plain)
		TRY(add_split(g, t, heading, m));
	else if (m->ours)
		add_ours(g, t, heading, m);
	if (!m->paper)
		return 0;
	add_numbers(g, t, heading, ", paper", m->paper, 0);
	if (m->any_paper_delta)
		add_paper_delta(g, t, m, heading, plain);
	return 0;
}

static int add_labels(struct grid *g, const struct table *t)
{
	char **column = new_column(g);
	int at = 1;

	if (!column)
		return STATUS_SYSTEM;
	put(g, column, "%s", t->layout.key ? t->layout.key : "row");
	for (int row = 0; row < t->layout.rows.count; row++) {
		char **field = t->layout.rows.line[row].field;

		if (t->shown[row])
			put(g, column + at++, "%s",
				field[ROW_LABEL] ? field[ROW_LABEL] : field[ROW_NAME]);
	}
	return 0;
}

static int add_info(struct grid *g, const struct table *t, int index)
{
	char **field = t->layout.infos.line[index].field, **column = new_column(g);
	int at = 1;

	if (!column)
		return STATUS_SYSTEM;
	put(g, column, "%s", field[INFO_HEADING] ? field[INFO_HEADING] : field[INFO_COLUMN]);
	for (int row = 0; row < t->layout.rows.count; row++) {
		char *values;

		if (!t->shown[row])
			continue;
		values = table_row_values(t, row, field[INFO_COLUMN]);
		if (!values)
			return STATUS_SYSTEM;
		put(g, column + at++, "%s", *values ? values : "-");
		free(values);
	}
	return 0;
}

static int build(struct grid *g, const struct table *t, int plain)
{
	g->rows = 1;
	for (int row = 0; row < t->layout.rows.count; row++)
		g->rows += t->shown[row];
	TRY(add_labels(g, t));
	for (int i = 0; i < t->layout.infos.count; i++)
		TRY(add_info(g, t, i));
	for (int m = 0; m < t->layout.measures.count; m++)
		TRY(add_measure(g, t, m, plain));
	return g->failed ? STATUS_SYSTEM : 0;
}

/* --- formats --- */

static void put_escaped(const char *text, enum render_format format, FILE *f)
{
	for (; *text; text++) {
		if (format == RENDER_MARKDOWN && *text == '|')
			fputs("\\|", f);
		else if (format == RENDER_LATEX && strchr("&%$#_{}", *text))
			fprintf(f, "\\%c", *text);
		else if (format == RENDER_LATEX && *text == '\\')
			fputs("\\textbackslash{}", f);
		else if (format == RENDER_LATEX && (*text == '~' || *text == '^'))
			fprintf(f, "\\%c{}", *text);
		else if (format == RENDER_LATEX && !strncmp(text, "±", 2))
			fputs("$\\pm$", f), text++;
		else if (format == RENDER_LATEX && !strncmp(text, "Δ", 2))
			fputs("$\\Delta$", f), text++;
		else
			fputc(*text, f);
	}
}

static void put_row(const struct grid *g, int row, enum render_format format, FILE *f)
{
	static const char *const between[] = {" | ", "\t", " & "};

	if (format == RENDER_MARKDOWN)
		fputs("| ", f);
	for (int c = 0; c < g->columns; c++) {
		if (c)
			fputs(between[format], f);
		put_escaped(g->cell[(size_t)c * (size_t)g->rows + (size_t)row], format, f);
	}
	fputs(format == RENDER_MARKDOWN ? " |\n" : format == RENDER_LATEX ? " \\\\\n" : "\n", f);
}

static void put_grid(const struct grid *g, enum render_format format, FILE *f)
{
	if (format == RENDER_LATEX) {
		fputs("\\begin{tabular}{l", f);
		for (int c = 1; c < g->columns; c++)
			fputc('r', f);
		fputs("}\n\\hline\n", f);
	}
	put_row(g, 0, format, f);
	if (format == RENDER_MARKDOWN) {
		fputs("|---|", f);
		for (int c = 1; c < g->columns; c++)
			fputs("---:|", f);
		fputc('\n', f);
	} else if (format == RENDER_LATEX) {
		fputs("\\hline\n", f);
	}
	for (int row = 1; row < g->rows; row++)
		put_row(g, row, format, f);
	if (format == RENDER_LATEX)
		fputs("\\hline\n\\end{tabular}\n", f);
}

/* "scale tiny; data shapes; seeds 0, 1, 2; ..." or that nothing was run. */
static char *origin(const struct table *t)
{
	static const char *const columns[] = {"scale", "set", "seed", "n", "hardware", "version"};
	static const char *const words[] = {
		"scale", "data", "seeds", "test images", "hardware", "version"};
	char *text = memory_string(t->result_count ? "Ours:" : "Ours: nothing was run");
	const char *mark = " ";

	for (int i = 0; text && t->result_count && i < 6; i++) {
		char *values = table_values(t, columns[i]), *longer = NULL;

		if (values && *values) {
			longer = memory_format("%s%s%s %s", text, mark, words[i], values);
			mark = "; ";
		} else if (values) {
			longer = memory_string(text);
		}
		free(values);
		free(text);
		text = longer;
	}
	return text;
}

static const char *line_mark(enum render_format format)
{
	return format == RENDER_TSV ? "# " : format == RENDER_LATEX ? "% " : "";
}

static void put_heading(const struct table *t, const char *from, enum render_format format, FILE *f)
{
	const char *mark = line_mark(format), *space = format == RENDER_MARKDOWN ? "\n" : "";

	fprintf(f, "%s%s\n%s", format == RENDER_MARKDOWN ? "### " : mark, t->layout.title, space);
	fprintf(f, "%s%s.\n%s", mark, from, space);
}

static void put_note(const char *note, enum render_format format, FILE *f)
{
	fprintf(f, "%s%s%s\n", format == RENDER_MARKDOWN ? "\n" : "", line_mark(format), note);
}

int render_table(const struct table *t, enum render_format format, char *const *notes,
	int note_count, FILE *f)
{
	struct grid g = {0};
	char *from = origin(t);
	int status = from ? build(&g, t, format == RENDER_TSV) : STATUS_SYSTEM;

	if (!status) {
		put_heading(t, from, format, f);
		put_grid(&g, format, f);
		for (int i = 0; i < note_count; i++)
			put_note(notes[i], format, f);
		for (int i = 0; i < t->layout.notes.count; i++)
			put_note(t->layout.notes.line[i].field[0], format, f);
	}
	grid_release(&g);
	free(from);
	return status;
}
