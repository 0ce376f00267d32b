/*
 * What a stage of a pipeline cost, from the provenance of the file that it made: time, energy, and
 * the data that it went over. A run that was interrupted is one stage: the links of its state and
 * the last one are added up. Work that was lost because it was done after the last saving is not in
 * the files and not in the cost.
 */
#ifndef IO_COST_H
#define IO_COST_H

#include "lib/io/h5.h"

struct stage_cost {
	double seconds;
	double joules;	     /* < 0: not measured, or not in all of its parts */
	char *tool, *origin; /* of the stage, and the one the file's chain begins with */
	char *device, *hardware;
	char *data;	/* what --data named; NULL: nothing */
	char *settings; /* JSON; NULL */
	int links;	/* parts it was done in */
};

/* STATUS_DATA when the file has no provenance (--no-provenance). */
int stage_cost_read(struct stage_cost *c, const char *path);
void stage_cost_release(struct stage_cost *c);

/*
 * Images that a training went over, counting each as often as it was used, out of `count` in its
 * data, and how many of them it used at all. -1 where the settings do not say.
 */
void stage_cost_images(const struct stage_cost *c, int64_t count, int64_t *used, int64_t *distinct);

#endif
