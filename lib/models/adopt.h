/*
 * Weights of one network for another: pre-training on one set of classes and fine-tuning on
 * another.
 */
#ifndef MODELS_ADOPT_H
#define MODELS_ADOPT_H

#include "lib/models/weights.h"

struct adopted {
	int copied, fresh;
	char notes[1024]; /* "head.weight (5, 48) was (48, 48)", ...: what is fresh or resized */
	int notes_made;	  /* the first eight are kept */
};

/*
 * Takes every parameter and buffer of group 0 that the open weights file has under the same name
 * and shape; all others keep the values they have, which is said. Positions of another grid are
 * resized bicubically. STATUS_DATA for another family, or when nothing fits.
 */
int weights_adopt(struct network *n, struct h5 *f, struct adopted *a);

#endif
