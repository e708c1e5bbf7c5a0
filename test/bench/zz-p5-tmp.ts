import { EngineWorld, workflowOf } from '/work/main/test/bench/engine-world.ts';
const world = await EngineWorld.create();
world.plan = { dialect: 'gantry', path: '.gantry.yml', workflows: Array.from({ length: 100 }, (_, g) => workflowOf(`group ${g}`, [{ name: 'root', dependsOn: [] }, ...Array.from({ length: 99 }, (_n, i) => ({ name: `leaf ${i}`, dependsOn: ['root'] }))])) };
for (let i = 0; i < 4; i += 1) { const c = process.cpuUsage(); const ms = await world.run(); const u = process.cpuUsage(c); console.log(Math.round((u.user+u.system)/1000), "cpu-ms", Math.round(ms), 'ms', Math.round(10000 / ms * 1000), 'steps/s'); }
await world.close();
