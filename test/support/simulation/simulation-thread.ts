import { parentPort, workerData } from 'node:worker_threads';
import { simulate } from './simulation.ts';

/** Plays the seeds that it was given, and tells how many steps were started; a seed that fails ends the thread with its error. */
let started = 0;
for (const seed of workerData as readonly number[]) started += (await simulate(seed)).started;
parentPort?.postMessage(started);
