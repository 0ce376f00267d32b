#include "lib/io/tensor_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/utf8.h"

#define BLOCK ((int64_t)1 << 20)

const char *tensor_shape_text(int dims, const int64_t *shape, char text[200])
{
	int used = 0;

	text[0] = 0;
	for (int i = 0; i < dims; i++)
		used += snprintf(text + used, 200 - used, "%s%" PRId64, i ? "," : "", shape[i]);
	return text;
}

int tensor_walk(struct h5 *f, const char *name, enum h5_type mem,
	int (*visit)(void *with, int64_t first, int64_t count, const void *values), void *with)
{
	int64_t shape[H5_DIMS], row = 1, rows, step;
	enum h5_type type;
	int dims, status = 0;
	void *block;

	TRY(h5_shape(f, name, &type, &dims, shape));
	rows = dims ? shape[0] : 1;
	for (int i = 1; i < dims; i++)
		row *= shape[i];
	if (!row || !rows)
		return 0;
	step = BLOCK / (int64_t)h5_type_size(mem) / row;
	step = step < 1 ? 1 : step > rows ? rows : step;
	block = memory_new((size_t)(step * row), h5_type_size(mem));
	if (!block)
		return STATUS_SYSTEM;
	for (int64_t at = 0, n; at < rows && !status; at += n) {
		n = rows - at < step ? rows - at : step;
		status = h5_read(f, name, mem, at, n, block);
		if (!status)
			status = visit(with, at * row, n * row, block);
	}
	free(block);
	return status == STATUS_NO ? 0 : status;
}

static int is_float(enum h5_type t)
{
	return t == H5_F32 || t == H5_F64 || t == H5_F16 || t == H5_BF16;
}

static void count_float(struct tensor_statistics *s, double *sum, int64_t *used, double x)
{
	s->zero += x == 0;
	s->nan += isnan(x) != 0;
	s->inf += isinf(x) != 0;
	if (!isfinite(x))
		return;
	if (!*used || x < s->min)
		s->min = x;
	if (!*used || x > s->max)
		s->max = x;
	*sum += x;
	++*used;
}

struct walk {
	struct tensor_statistics *s;
	enum h5_type mem;
	double sum;
	int64_t used;
};

static int visit_statistics(void *with, int64_t first, int64_t count, const void *values)
{
	struct walk *w = with;

	for (int64_t i = 0; i < count; i++) {
		double x = w->mem == H5_F64   ? ((const double *)values)[i]
			   : w->mem == H5_U64 ? (double)((const uint64_t *)values)[i]
					      : (double)((const int64_t *)values)[i];

		count_float(w->s, &w->sum, &w->used, x);
	}
	return 0;
}

int tensor_statistics(struct h5 *f, const char *name, struct tensor_statistics *s)
{
	struct walk w = {.s = s};

	memset(s, 0, sizeof(*s));
	s->min = s->max = s->mean = NAN;
	TRY(h5_shape(f, name, &s->type, &s->dims, s->shape));
	if (s->type == H5_TEXT)
		return 0;
	w.mem = is_float(s->type) ? H5_F64 : s->type == H5_U64 ? H5_U64 : H5_I64;
	TRY(tensor_walk(f, name, w.mem, visit_statistics, &w));
	if (w.used)
		s->mean = w.sum / (double)w.used;
	return 0;
}

/* NaN keeps its sign and payload, so that unequal bits are unequal text. */
static void float_text(double x, uint64_t bits, int digits, char text[40])
{
	if (isnan(x))
		snprintf(text, 40, "nan(0x%" PRIx64 ")", bits);
	else
		snprintf(text, 40, "%.*g", digits, x);
}

/* For F16 and BF16 the values are float, as they are read here. */
void tensor_value_text(enum h5_type type, const void *values, int64_t i, char text[40])
{
	uint64_t bits = 0;

	switch (type) {
	case H5_F64:
		memcpy(&bits, (const double *)values + i, 8);
		float_text(((const double *)values)[i], bits, 17, text);
		break;
	case H5_F32:
	case H5_F16:
	case H5_BF16:
		memcpy(&bits, (const float *)values + i, 4);
		float_text(((const float *)values)[i], bits,
			type == H5_BF16	 ? 4
			: type == H5_F16 ? 5
					 : 9,
			text);
		break;
	case H5_U64:
		snprintf(text, 40, "%" PRIu64, ((const uint64_t *)values)[i]);
		break;
	default:
		snprintf(text, 40, "%" PRId64, ((const int64_t *)values)[i]);
	}
}

struct printing {
	const char *name;
	enum h5_type type;
	int dims;
	const int64_t *shape;
	FILE *out;
};

static int visit_print(void *with, int64_t first, int64_t count, const void *values)
{
	struct printing *p = with;
	char text[40], index[200];

	for (int64_t i = 0; i < count; i++) {
		int64_t at[H5_DIMS], rest = first + i;

		for (int d = p->dims - 1; d >= 0; d--) {
			at[d] = rest % p->shape[d];
			rest /= p->shape[d];
		}
		tensor_shape_text(p->dims, at, index);
		tensor_value_text(p->type, values, i, text);
		if (fprintf(p->out, "%s[%s] = %s\n", p->name, index, text) < 0)
			return STATUS_NO;
	}
	return 0;
}

static int print_strings(struct h5 *f, const char *name, FILE *out)
{
	char **strings;
	int64_t count;

	TRY(h5_get_strings(f, name, &count, &strings));
	for (int64_t i = 0; i < count; i++) {
		char head[1100];

		snprintf(head, sizeof(head), "%s[%" PRId64 "]", name, i);
		tensor_print_text("", head, strings[i], out);
	}
	free(strings);
	return 0;
}

int tensor_print_values(struct h5 *f, const char *name, FILE *out)
{
	int64_t shape[H5_DIMS];
	struct printing p = {.name = name, .shape = shape, .out = out};
	char text[200];
	enum h5_type mem;

	TRY(h5_shape(f, name, &p.type, &p.dims, shape));
	fprintf(out, "%s %s (%s)\n", name, h5_type_name(p.type),
		tensor_shape_text(p.dims, shape, text));
	if (p.type == H5_TEXT)
		return print_strings(f, name, out);
	mem = p.type == H5_F64	 ? H5_F64
	      : is_float(p.type) ? H5_F32
	      : p.type == H5_U64 ? H5_U64
				 : H5_I64;
	return tensor_walk(f, name, mem, visit_print, &p);
}

void tensor_print_text(const char *prefix, const char *name, const char *text, FILE *out)
{
	char *copy = strdup(text), *rest = copy, *line;
	int first = 1;

	while ((line = strsep(&rest, "\n"))) {
		utf8_clean(line);
		if (first)
			fprintf(out, "%s%s = %s\n", prefix, name, line);
		else
			fprintf(out, "%s\t%s\n", prefix, line);
		first = 0;
	}
	free(copy);
}

int tensor_attribute_text(struct h5 *f, const char *name, char **text)
{
	int64_t whole;
	double real;

	if (!h5_get_text(f, name, text))
		return 0;
	if (!h5_get_int(f, name, &whole))
		*text = memory_format("%" PRId64, whole);
	else if (!h5_get_real(f, name, &real))
		*text = memory_format("%.17g", real);
	else
		return h5_get_text(f, name, text);
	return *text ? 0 : STATUS_SYSTEM;
}

int tensor_print_attribute(struct h5 *f, const char *name, FILE *out)
{
	char *text, shown[1100];

	TRY(tensor_attribute_text(f, name, &text));
	snprintf(shown, sizeof(shown), "@%s", name);
	utf8_clean(shown);
	tensor_print_text("", shown, text, out);
	free(text);
	return 0;
}
