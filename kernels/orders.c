#include "kernels/orders.h"

int order_directions(enum order_family family)
{
	static const int directions[] = {1, 2, 4, 4};

	return directions[family];
}

static void reverse(int64_t len, int32_t *to, const int32_t *from)
{
	for (int64_t t = 0; t < len; t++)
		to[t] = from[len - 1 - t];
}

static void rows(int64_t height, int64_t width, int32_t *order)
{
	for (int64_t t = 0; t < height * width; t++)
		order[t] = (int32_t)t;
}

static void columns(int64_t height, int64_t width, int32_t *order)
{
	for (int64_t t = 0; t < height * width; t++)
		order[t] = (int32_t)(t % height * width + t / height);
}

static void rows_to_and_fro(int64_t height, int64_t width, int32_t *order)
{
	for (int64_t i = 0; i < height; i++)
		for (int64_t c = 0; c < width; c++)
			order[i * width + c] = (int32_t)(i * width + (i % 2 ? width - 1 - c : c));
}

static void columns_to_and_fro(int64_t height, int64_t width, int32_t *order)
{
	for (int64_t j = 0; j < width; j++)
		for (int64_t s = 0; s < height; s++)
			order[j * height + s] = (int32_t)((j % 2 ? height - 1 - s : s) * width + j);
}

/* Of the move from one token to a neighbour. width 1 has vertical moves alone. */
static int32_t step_code(int64_t width, int64_t from, int64_t to)
{
	if (to / width != from / width)
		return to > from ? STEP_DOWN : STEP_UP;
	return to > from ? STEP_RIGHT : STEP_LEFT;
}

static void codes(int64_t len, int64_t width, int32_t *code, const int32_t *order)
{
	for (int k = 0; k < 4; k++)
		for (int64_t t = 0; t < len; t++)
			code[k * len + t] =
				t ? step_code(width, order[k * len + t - 1], order[k * len + t])
				  : STEP_START;
}

void order_fill(
	enum order_family family, int64_t height, int64_t width, int32_t *order, int32_t *code)
{
	int64_t len = height * width;

	switch (family) {
	case ORDER_CAUSAL:
		rows(height, width, order);
		break;
	case ORDER_BOTH:
		rows(height, width, order);
		reverse(len, order + len, order);
		break;
	case ORDER_CROSS:
		rows(height, width, order);
		columns(height, width, order + len);
		reverse(len, order + 2 * len, order);
		reverse(len, order + 3 * len, order + len);
		break;
	case ORDER_CONTINUOUS:
		rows_to_and_fro(height, width, order);
		reverse(len, order + len, order);
		columns_to_and_fro(height, width, order + 2 * len);
		reverse(len, order + 3 * len, order + 2 * len);
		if (code)
			codes(len, width, code, order);
		break;
	}
}
