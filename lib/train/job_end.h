/*
 * When the batch job that this process belongs to will be ended, in seconds of Unix time; 0: not in
 * a job, or the job has no limit. From SLURM_JOB_END_TIME where it is set, else asked of squeue.
 */
#ifndef TRAIN_JOB_END_H
#define TRAIN_JOB_END_H

double job_end(void);

#endif
