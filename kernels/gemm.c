#include "kernels/gemm.h"

#include <string.h>

#define ROWS GEMM_ROWS
#define PANEL GEMM_PANEL

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* One panel of `width` columns; b points at its first. */
static void pack_panel(
	real *to, const real *b, int64_t b_row, int64_t b_col, int64_t k, int64_t width)
{
	if (b_col == 1 && width == PANEL) {
		for (int64_t i = 0; i < k; i++)
			memcpy(to + i * PANEL, b + i * b_row, PANEL * sizeof(real));
		return;
	}
	if (width < PANEL)
		memset(to, 0, k * PANEL * sizeof(real));
	if (b_col == 1) {
		for (int64_t i = 0; i < k; i++)
			for (int64_t j = 0; j < width; j++)
				to[i * PANEL + j] = b[i * b_row + j];
		return;
	}
	for (int64_t i0 = 0; i0 < k; i0 += 16) /* a cache line of each column at a time */
		for (int64_t j = 0; j < width; j++)
			for (int64_t i = i0; i < least(i0 + 16, k); i++)
				to[i * PANEL + j] = b[i * b_row + j * b_col];
}

/* Rows that are read once from end to end, into all whole panels side by side. */
static void pack_rows_of_b(real *to, const real *b, int64_t b_row, int64_t k, int64_t n)
{
	for (int64_t i = 0; i < k; i++)
		for (int64_t j = 0; j < n; j += PANEL)
			memcpy(to + j * k + i * PANEL, b + i * b_row + j, PANEL * sizeof(real));
}

void gemm_pack(real *to, const real *b, int64_t b_row, int64_t b_col, int64_t k, int64_t n)
{
	int64_t whole = b_col == 1 ? n / PANEL * PANEL : 0;

	pack_rows_of_b(to, b, b_row, k, whole);
	for (int64_t j = whole; j < n; j += PANEL)
		pack_panel(to + j * k, b + j * b_col, b_row, b_col, k, least(PANEL, n - j));
}

/* Where a strip against one panel goes. */
struct target {
	real *c;
	int64_t ldc, width; /* columns that exist */
	int add;
	const real *bias;
	real bias_scale;
};

/* The whole tile: `vectors` times LANES columns exist. */
INLINE void micro(const int rows, const int vectors, int64_t k, const real *a, int64_t a_row,
	int64_t a_col, const real *b, const struct target *t)
{
	vec sum[ROWS][2];

#pragma GCC unroll 16
	for (int i = 0; i < rows; i++)
		sum[i][0] = sum[i][1] = (vec){0};
	for (int64_t p = 0; p < k; p++) {
		vec b0 = *(const vec *)(b + p * PANEL);
		vec b1 = vectors > 1 ? *(const vec *)(b + p * PANEL + LANES) : b0;

#pragma GCC unroll 16
		for (int i = 0; i < rows; i++) {
			real s = a[i * a_row + p * a_col];

			sum[i][0] += s * b0;
			if (vectors > 1)
				sum[i][1] += s * b1;
		}
	}
	if (t->bias) {
		vec b0 = t->bias_scale * *(const vec *)t->bias, b1 = b0;

		if (vectors > 1)
			b1 = t->bias_scale * *(const vec *)(t->bias + LANES);
#pragma GCC unroll 16
		for (int i = 0; i < rows; i++) {
			sum[i][0] += b0;
			sum[i][1] += b1;
		}
	}
	if (t->add) {
#pragma GCC unroll 16
		for (int i = 0; i < rows; i++) {
			sum[i][0] += *(const vec *)(t->c + i * t->ldc);
			if (vectors > 1)
				sum[i][1] += *(const vec *)(t->c + i * t->ldc + LANES);
		}
	}
#pragma GCC unroll 16
	for (int i = 0; i < rows; i++) {
		*(vec *)(t->c + i * t->ldc) = sum[i][0];
		if (vectors > 1)
			*(vec *)(t->c + i * t->ldc + LANES) = sum[i][1];
	}
}

/* A panel of which fewer columns exist: sums came to part (rows, PANEL). */
static void finish_part(const struct target *t, int rows, const real *part)
{
	for (int i = 0; i < rows; i++)
		for (int64_t j = 0; j < t->width; j++) {
			real sum = part[i * PANEL + j];

			sum += t->bias ? t->bias_scale * t->bias[j] : 0;
			t->c[i * t->ldc + j] = t->add ? sum + t->c[i * t->ldc + j] : sum;
		}
}

/* Rows as they lie in memory, or packed by pack_rows. */
#define MICRO_OF(name, rows, a_row, a_col)                                                         \
	static __attribute__((noinline)) void name(                                                \
		int64_t k, const real *a, int64_t stride, const real *b, const struct target *t)   \
	{                                                                                          \
		real part[rows * PANEL] __attribute__((aligned(64)));                              \
		struct target to = {part, PANEL, PANEL, 0, NULL, 0};                               \
                                                                                                   \
		if (t->width == PANEL)                                                             \
			micro(rows, 2, k, a, a_row, a_col, b, t);                                  \
		else if (t->width == LANES)                                                        \
			micro(rows, 1, k, a, a_row, a_col, b, t);                                  \
		else if (t->width < LANES)                                                         \
			micro(rows, 1, k, a, a_row, a_col, b, &to);                                \
		else                                                                               \
			micro(rows, 2, k, a, a_row, a_col, b, &to);                                \
		if (t->width != PANEL && t->width != LANES)                                        \
			finish_part(t, rows, part);                                                \
	}
#define MICRO(rows)                                                                                \
	MICRO_OF(micro_##rows, rows, stride, 1)                                                    \
	MICRO_OF(micro_packed_##rows, rows, 1, ROWS)

#if GEMM_ROWS == 12
MICRO(12)
MICRO(8)
#define micro_full micro_12
#define micro_packed_full micro_packed_12
#else
MICRO(6)
#define micro_full micro_6
#define micro_packed_full micro_packed_6
#define micro_8 micro_6 /* never asked for */
#define micro_packed_8 micro_packed_6
#endif
MICRO(4)
MICRO(2)
MICRO(1)

typedef void micro_kernel(
	int64_t k, const real *a, int64_t stride, const real *b, const struct target *t);

/* At most ROWS rows of A against one panel; `packed`: as pack_rows leaves them. */
static void strip(int64_t rows, int64_t k, const real *a, int64_t a_row, int packed, const real *b,
	const struct target *target)
{
	static micro_kernel *const sizes[2][5] = {
		{micro_1, micro_2, micro_4, micro_8, micro_full},
		{micro_packed_1, micro_packed_2, micro_packed_4, micro_packed_8, micro_packed_full},
	};
	struct target t = *target;

	while (rows > 0) {
		int size = rows == ROWS ? 4 : rows >= 8 ? 3 : rows >= 4 ? 2 : rows >= 2 ? 1 : 0;
		int64_t n = size == 4 ? ROWS : 1 << size;

		sizes[packed][size](k, a, a_row, b, &t);
		a += n * a_row;
		t.c += n * t.ldc;
		rows -= n;
	}
}

/* Transposed rows, a[k * a_col + m], to (k, ROWS). */
static void pack_rows(real *to, const real *a, int64_t a_col, int64_t rows, int64_t k)
{
	if (rows == ROWS)
		for (int64_t p = 0; p < k; p++)
			memcpy(to + p * ROWS, a + p * a_col, ROWS * sizeof(real));
	else
		for (int64_t p = 0; p < k; p++)
			memcpy(to + p * ROWS, a + p * a_col, rows * sizeof(real));
}

/* What panel j of the block that starts at k0 is added to. */
static struct target target_of(const struct gemm_tile *t, int64_t k0, int64_t row, int64_t j)
{
	return (struct target){t->c + row * t->ldc + j, t->ldc, least(PANEL, t->n - j),
		t->add || k0 > 0, t->bias && !k0 ? t->bias + j : NULL, t->bias_scale};
}

/* A's rows lie in k: a panel stays in the first cache while all rows pass. */
static void tile_direct(const struct gemm_tile *t, int64_t k0, int64_t k)
{
	for (int64_t j = 0; j < t->n; j += PANEL)
		for (int64_t i = 0; i < t->m; i += ROWS) {
			struct target to = target_of(t, k0, i, j);

			strip(least(ROWS, t->m - i), k, t->a + i * t->a_row + k0, t->a_row, 0,
				t->packed + j * t->k + k0 * PANEL, &to);
		}
}

#define CHUNK 96 /* transposed rows packed at a time: a multiple of every ROWS */

/* A is transposed: chunks of it are packed, and a panel meets a whole chunk. */
static void tile_transposed(const struct gemm_tile *t, int64_t k0, int64_t k)
{
	real a[GEMM_BLOCK * CHUNK] __attribute__((aligned(64)));

	for (int64_t i0 = 0; i0 < t->m; i0 += CHUNK) {
		int64_t end = least(i0 + CHUNK, t->m);

		for (int64_t i = i0; i < end; i += ROWS)
			pack_rows(a + (i - i0) * k, t->a + i + k0 * t->a_col, t->a_col,
				least(ROWS, end - i), k);
		for (int64_t j = 0; j < t->n; j += PANEL)
			for (int64_t i = i0; i < end; i += ROWS) {
				struct target to = target_of(t, k0, i, j);

				strip(least(ROWS, end - i), k, a + (i - i0) * k, 1, 1,
					t->packed + j * t->k + k0 * PANEL, &to);
			}
	}
}

void gemm_tile(const struct gemm_tile *t)
{
	for (int64_t k0 = 0; k0 < t->k; k0 += GEMM_BLOCK) {
		int64_t k = least(GEMM_BLOCK, t->k - k0);

		if (t->a_col == 1)
			tile_direct(t, k0, k);
		else
			tile_transposed(t, k0, k);
	}
}

#define SMALL 400000	 /* multiply-adds below which one thread is faster */
#define PACK_SMALL 32768 /* elements of B below which waiting for others costs more than packing */
#define TASKS 32	 /* aimed at, so that several threads share evenly */
#define TALL 120	 /* rows of a task: a multiple of every ROWS */

static int64_t divide_up(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

/* How C is cut into tasks: by the shape alone. */
struct cut {
	int64_t tall, wide; /* rows and columns of a task */
	int64_t down, across;
};

static struct cut cut_rows(int64_t m, int64_t n)
{
	struct cut c;
	int64_t panels = gemm_padded(n) / PANEL, groups;

	c.tall = divide_up(divide_up(m, TASKS), ROWS) * ROWS;
	c.tall = c.tall < 2 * ROWS ? 2 * ROWS : least(c.tall, TALL);
	c.down = divide_up(m, c.tall);
	groups = least(panels, divide_up(TASKS, c.down));
	c.wide = divide_up(panels, groups) * PANEL;
	c.across = divide_up(n, c.wide);
	return c;
}

static void run_task(const struct gemm_tile *t, const struct cut *c, int64_t task)
{
	int64_t i = task / c->across * c->tall, j = task % c->across * c->wide;
	struct gemm_tile part = *t;

	part.m = least(c->tall, t->m - i);
	part.n = least(c->wide, t->n - j);
	part.a += i * t->a_row;
	part.packed += j * t->k;
	part.c += i * t->ldc + j;
	part.bias = t->bias ? t->bias + j : NULL;
	gemm_tile(&part);
}

void gemm_rows(
	const struct gemm_tile *tile, const real *b, int64_t b_row, int64_t b_col, real *work)
{
	struct gemm_tile t = *tile;
	struct cut c = cut_rows(t.m, t.n);
	int shared = t.k * t.n > PACK_SMALL;

	t.packed = work;
	if (!shared)
		gemm_pack(work, b, b_row, b_col, t.k, t.n);
#pragma omp parallel if (t.m * t.n * t.k > SMALL)
	{
		if (shared)
#pragma omp for schedule(static)
			for (int64_t j = 0; j < t.n; j += PANEL)
				pack_panel(work + j * t.k, b + j * b_col, b_row, b_col, t.k,
					least(PANEL, t.n - j));
#pragma omp for schedule(dynamic)
		for (int64_t task = 0; task < c.down * c.across; task++)
			run_task(&t, &c, task);
	}
}

#define PART 128      /* rows of x that are packed at a time */
#define PART_WIDE 256 /* columns */
#define PART_TALL 192

struct weight_cut {
	int64_t down, across, parts; /* tasks are the product of the three */
	int64_t rows;		     /* of a part */
};

static struct weight_cut cut_weight(int64_t rows, int64_t n, int64_t k)
{
	struct weight_cut c = {divide_up(n, PART_TALL), divide_up(k, PART_WIDE), 1, 0};
	int64_t parts = divide_up(TASKS, c.down * c.across), most = divide_up(rows, PART);

	parts = least(parts, most);
	c.rows = divide_up(most, parts) * PART;
	c.parts = divide_up(rows, c.rows);
	return c;
}

int64_t gemm_weight_work(int64_t rows, int64_t n, int64_t k)
{
	struct weight_cut c = cut_weight(rows, n, k);

	return c.parts > 1 ? c.parts * (n * k + n) : 0;
}

struct weight_job {
	int64_t rows, n, k;
	real *dw, *db, scale;
	const real *dy, *x;
	real *partial_w, *partial_b; /* (parts, n, k), (parts, n) or NULL */
};

static void column_sums(
	real *db, int add, real scale, const real *dy, int64_t ld, int64_t rows, int64_t n)
{
	real sum[PART_TALL] = {0};

	for (int64_t r = 0; r < rows; r++)
#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			sum[i] += dy[r * ld + i];
	for (int64_t i = 0; i < n; i++)
		db[i] = (add ? db[i] : 0) + scale * sum[i];
}

static void weight_task(const struct weight_job *w, const struct weight_cut *c, int64_t task)
{
	real packed[PART * PART_WIDE] __attribute__((aligned(64)));
	int64_t part = task / (c->down * c->across), rest = task % (c->down * c->across);
	int64_t i = rest / c->across * PART_TALL, j = rest % c->across * PART_WIDE;
	int64_t from = part * c->rows, to = least(from + c->rows, w->rows);
	int own = w->partial_w != NULL; /* sums of a part start from nothing */
	real *dw = own ? w->partial_w + part * w->n * w->k : w->dw;
	real *db = own ? w->partial_b + part * w->n : w->db;

	for (int64_t r = from; r < to; r += PART) {
		struct gemm_tile t = {.m = least(PART_TALL, w->n - i),
			.n = least(PART_WIDE, w->k - j),
			.k = least(PART, to - r),
			.a = w->dy + r * w->n + i,
			.a_row = 1,
			.a_col = w->n,
			.packed = packed,
			.c = dw + i * w->k + j,
			.ldc = w->k,
			.add = !own || r > from};

		if (w->db && j == 0)
			column_sums(db + i, t.add, w->scale, t.a, w->n, t.k, t.m);
		if (!w->dw)
			continue;
		gemm_pack(packed, w->x + r * w->k + j, w->k, 1, t.k, t.n);
		gemm_tile(&t);
	}
}

#define SUM_BLOCK 1024

/* Block i of to (count) += the parts in order */
static void add_block(real *to, const real *partial, int64_t parts, int64_t count, int64_t i)
{
	int64_t from = i * SUM_BLOCK, end = least(from + SUM_BLOCK, count);

	for (int64_t part = 0; part < parts; part++)
#pragma omp simd
		for (int64_t j = from; j < end; j++)
			to[j] += partial[part * count + j];
}

void gemm_weight(int64_t rows, int64_t n, int64_t k, real *dw, real *db, real scale, const real *dy,
	const real *x, real *work)
{
	struct weight_cut c = cut_weight(rows, n, k);
	struct weight_job w = {rows, n, k, dw, db, scale, dy, x, NULL, NULL};
	int64_t dw_blocks = dw ? divide_up(n * k, SUM_BLOCK) : 0;
	int64_t db_blocks = db ? divide_up(n, SUM_BLOCK) : 0;

	if (c.parts > 1) {
		w.partial_w = work;
		w.partial_b = work + c.parts * n * k;
	}
#pragma omp parallel if (rows * n * k > SMALL)
	{
#pragma omp for schedule(dynamic)
		for (int64_t task = 0; task < c.down * c.across * c.parts; task++)
			weight_task(&w, &c, task);
		if (c.parts > 1)
#pragma omp for schedule(static)
			for (int64_t i = 0; i < dw_blocks + db_blocks; i++) {
				if (i < dw_blocks)
					add_block(dw, w.partial_w, c.parts, n * k, i);
				else
					add_block(db, w.partial_b, c.parts, n, i - dw_blocks);
			}
	}
}
