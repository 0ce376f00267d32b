/*
 * The micro-world's classification set: small pictures of coloured shapes, drawn from a seed.
 *
 * A picture is 32 x 32 RGB. On a grey ground lie 2 to 4 small shapes (box 5 to 7), over them one
 * large shape (box 10 to 16) that gives the class, over it in half of the pictures one more small
 * shape (box 4 to 6), all anywhere inside the frame. Every shape's colour is moved by up to 30 a
 * channel, every pixel by up to 24 a channel; the sums are cut to 0..255 at the end.
 *
 * Only integers are used, and every one is a function of (seed, set and split, sample, element)
 * through Philox: the same pictures come out on every machine, and a picture does not depend on how
 * many are drawn. Elements:
 *
 *	0 ground  1 class's shape  2 class's colour  3 how many small shapes before  4 one after?
 *	16 + 8 o + ...  object o: 0 box, 1 shape, 2 colour, 3 x, 4 y, 5-7 move of red, green, blue
 *	64 + 3 pixel + channel  noise
 *
 * with o = 0..3 the shapes before, 4 the large one, 5 the one after.
 */
#ifndef DATA_SHAPES_H
#define DATA_SHAPES_H

#include <stdint.h>

#define SHAPES_SIDE 32
#define SHAPES_BYTES (SHAPES_SIDE * SHAPES_SIDE * 3)
#define SHAPES_KINDS 6	 /* circle square triangle cross diamond ring */
#define SHAPES_COLOURS 8 /* red green blue yellow purple cyan orange white */
#define SHAPES_CLASSES (SHAPES_KINDS * SHAPES_COLOURS)

/* Three streams that share no picture. The values are part of every result. */
enum shapes_split { SHAPES_TRAIN, SHAPES_VALID, SHAPES_TEST };

/* Draws sample i (below 2^48): pixels (32, 32, 3) u8. Returns the class, shape * 8 + colour. */
int shapes_draw(
	uint64_t seed, enum shapes_split split, uint64_t sample, uint8_t pixels[SHAPES_BYTES]);

/* Is (x, y) inside the shape whose box is size x size, 0 <= x, y < size? */
int shapes_inside(int kind, int size, int x, int y);

/* "circle-red"; kind and colour alone: "circle", "red". NULL outside the range. */
const char *shapes_class_name(int class);
const char *shapes_kind_name(int kind);

/* Pictures of a split unless told otherwise: 16,000, 2,000, 2,000. */
int64_t shapes_usual_count(enum shapes_split split);

#endif
