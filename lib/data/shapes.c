/* Pictures of the micro-world; see shapes.h. */
#include "lib/data/shapes.h"

#include <stddef.h>
#include <stdlib.h>
#include "kernels/philox.h"

enum { SET_CLASSES = 0 }; /* which set of the micro-world: part of the key */

enum element { GROUND, CLASS_KIND, CLASS_COLOUR, BEFORE, AFTER, OBJECT = 16, NOISE = 64 };
enum object_element { SIZE, KIND, COLOUR, X, Y, MOVE, OBJECT_ELEMENTS = 8 };
enum { LARGE = 4, LAST = 5 };

static const int colours[SHAPES_COLOURS][3] = {{220, 40, 40}, {40, 180, 60}, {50, 80, 220},
	{230, 210, 50}, {150, 60, 190}, {60, 200, 210}, {240, 140, 40}, {230, 230, 230}};

static const char *const kind_names[SHAPES_KINDS] = {
	"circle", "square", "triangle", "cross", "diamond", "ring"};

#define NAMES(kind)                                                                                \
	kind "-red", kind "-green", kind "-blue", kind "-yellow", kind "-purple", kind "-cyan",    \
		kind "-orange", kind "-white"
static const char *const class_names[SHAPES_CLASSES] = {NAMES("circle"), NAMES("square"),
	NAMES("triangle"), NAMES("cross"), NAMES("diamond"), NAMES("ring")};

struct stream {
	uint64_t seed, sample;
	uint32_t word; /* set and split */
};

/* low .. high, both included */
static int draw(const struct stream *s, uint32_t element, int low, int high)
{
	return low + (int)philox_below(s->seed, PURPOSE_SHAPES, s->word, s->sample, element,
			     (uint32_t)(high - low + 1));
}

int shapes_inside(int kind, int size, int x, int y)
{
	int dx = abs(2 * x + 1 - size), dy = abs(2 * y + 1 - size);
	int square = dx * dx + dy * dy;

	switch (kind) {
	case 0:
		return square <= size * size;
	case 1:
		return (dx > dy ? dx : dy) <= size - 1 - size / 4;
	case 2:
		return dx <= y + 1;
	case 3:
		return 3 * dx <= size || 3 * dy <= size;
	case 4:
		return dx + dy <= size;
	default:
		return square <= size * size && 4 * square >= size * size;
	}
}

static void put(const struct stream *s, int object, int size, int kind, int colour,
	int (*picture)[SHAPES_SIDE][3])
{
	uint32_t e = OBJECT + OBJECT_ELEMENTS * (uint32_t)object;
	int left = draw(s, e + X, 0, SHAPES_SIDE - size),
	    top = draw(s, e + Y, 0, SHAPES_SIDE - size);
	int paint[3];

	for (int c = 0; c < 3; c++)
		paint[c] = colours[colour][c] + draw(s, e + MOVE + (uint32_t)c, -30, 30);
	for (int y = 0; y < size; y++)
		for (int x = 0; x < size; x++)
			for (int c = 0; c < 3 && shapes_inside(kind, size, x, y); c++)
				picture[top + y][left + x][c] = paint[c];
}

static void put_small(
	const struct stream *s, int object, int low, int high, int (*picture)[SHAPES_SIDE][3])
{
	uint32_t e = OBJECT + OBJECT_ELEMENTS * (uint32_t)object;

	put(s, object, draw(s, e + SIZE, low, high), draw(s, e + KIND, 0, SHAPES_KINDS - 1),
		draw(s, e + COLOUR, 0, SHAPES_COLOURS - 1), picture);
}

int shapes_draw(
	uint64_t seed, enum shapes_split split, uint64_t sample, uint8_t pixels[SHAPES_BYTES])
{
	struct stream s = {seed, sample, SET_CLASSES << 8 | (uint32_t)split};
	int picture[SHAPES_SIDE][SHAPES_SIDE][3];
	int ground = draw(&s, GROUND, 50, 109), before = draw(&s, BEFORE, 2, 4);
	int kind = draw(&s, CLASS_KIND, 0, SHAPES_KINDS - 1);
	int colour = draw(&s, CLASS_COLOUR, 0, SHAPES_COLOURS - 1);

	for (int i = 0; i < SHAPES_BYTES; i++)
		(&picture[0][0][0])[i] = ground;
	for (int o = 0; o < before; o++)
		put_small(&s, o, 5, 7, picture);
	put(&s, LARGE, draw(&s, OBJECT + OBJECT_ELEMENTS * LARGE + SIZE, 10, 16), kind, colour,
		picture);
	if (draw(&s, AFTER, 0, 1))
		put_small(&s, LAST, 4, 6, picture);
	for (int i = 0; i < SHAPES_BYTES; i++) {
		int v = (&picture[0][0][0])[i] + draw(&s, NOISE + (uint32_t)i, -24, 24);

		pixels[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
	}
	return kind * SHAPES_COLOURS + colour;
}

const char *shapes_class_name(int class)
{
	return class < 0 || class >= SHAPES_CLASSES ? NULL : class_names[class];
}

const char *shapes_kind_name(int kind)
{
	return kind < 0 || kind >= SHAPES_KINDS ? NULL : kind_names[kind];
}

int64_t shapes_usual_count(enum shapes_split split)
{
	return split == SHAPES_TRAIN ? 16000 : 2000;
}
