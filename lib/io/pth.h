/*
 * .pth files of torch.save: a zip of a pickle and storages, or (before 1.6) pickles and storages in
 * a row. The pickle goes through a machine of its own (pickle.h) that knows dicts, numbers, texts
 * and tensors; everything else becomes a value without meaning. Nothing is imported or called.
 */
#ifndef IO_PTH_H
#define IO_PTH_H

#include "lib/io/views.h"

enum pth_form { PTH_NONE, PTH_ZIP, PTH_LEGACY };
/* What the first bytes look like. */
enum pth_form pth_like(const unsigned char *file, size_t size);

struct pth_found {
	enum pth_form form;
	char key[64]; /* the member the tensors came from; "" for the dict itself */
	int foreign;  /* members of that dict that are no tensors */
	int stripped; /* a `module.` before all names was taken off */
};

/*
 * Adds the tensors of the dict at key (NULL: chosen, see checkpoint.h); the views point into file.
 * Storages in use are compared with their zip checksums. STATUS_DATA.
 */
int pth_parse(struct tensor_views *list, struct pth_found *found, const unsigned char *file,
	size_t size, const char *key);

#endif
