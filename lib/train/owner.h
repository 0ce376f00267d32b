/*
 * Who may write a rolling state.
 *
 * Beside STATE lies STATE.owner, one line: job, restart of the job, host, process, time of its
 * claim. A process claims before it reads the state; the latest claim holds. A copy that finds
 * another one's claim, or none, has been replaced (a scheduler took its node for dead and started
 * the job elsewhere): it writes nothing more, STATUS_IO. Job and restart are those of Slurm, if
 * any: an earlier run of a job never takes the state from a later run of it.
 */
#ifndef TRAIN_OWNER_H
#define TRAIN_OWNER_H

struct owner;

/* STATUS_IO: a later run of this job has the state. STATUS_CANTCREATE: no file can be made. */
int owner_claim(struct owner **o, const char *state);
/* 0 while the claim holds. NULL: nothing is owned, 0. Takes a const void * for h5_guard. */
int owner_holds(const void *owner);
/* Ends the claim, if it holds. NULL is allowed. */
void owner_release(struct owner *o);

#endif
