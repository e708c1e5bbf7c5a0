import type { TraceEntry, TraceRule } from '../../core/trace.ts';

type Values = Readonly<Record<string, string | number | boolean>>;
type Sentences = Readonly<Record<TraceRule, (values: Values, subject: string) => string>>;

/** `step "test" of build`, in the words of the language: whom a sentence is about. */
type SubjectName = (subject: TraceEntry['subject']) => string;

const seconds = (ms: unknown): string => `${Math.round(Number(ms) / 100) / 10}`;
const q = (value: unknown): string => `"${String(value)}"`;
const z = (value: unknown): string => `“${String(value)}”`;

const hours = (ms: unknown): string => `${Math.round(Number(ms) / 360_000) / 10}`;

const reuseWordsEn: Readonly<Record<string, string>> = {
  input: 'the input',
  variable: 'the variable',
  step: 'the result of step',
  service: 'the service',
  commands: 'what it runs',
  image: 'its image',
  outputs: 'its list of outputs',
  architecture: 'the architecture of the machine',
  surroundings: 'the place in which it runs',
  rule: 'the rule by which results are told apart',
};
const reuseWordsZh: Readonly<Record<string, string>> = {
  input: '输入',
  variable: '变量',
  step: '前置步骤的结果',
  service: '服务',
  commands: '执行的命令',
  image: '镜像',
  outputs: '输出列表',
  architecture: '机器架构',
  surroundings: '运行环境',
  rule: '判断结果是否相同的规则',
};

/** A pipeline; 0 is a run of the command line on this machine. */
/** What a condition wants and what it found, where that is no event, branch or the like. */
function wishEn({ key, pattern, value }: Values): string {
  if (key === 'paths' && pattern === 'a change') return 'wants a change, and no file changed';
  if (key === 'paths') {
    const left = leftOut(pattern);
    const wanted = left === undefined ? q(pattern) : `anything but ${q(left)}`;
    return `wants a change of ${wanted}, and what changed is ${q(value)}`;
  }
  return `wants ${key} to be ${q(pattern)}, and ${value === '' ? 'there is none' : `it is ${q(value)}`}`;
}

/** The patterns of an exclusion; `undefined` where it is none. */
function leftOut(pattern: unknown): string | undefined {
  return /^not (.*)$/s.exec(String(pattern))?.[1];
}

function wishZh({ key, pattern, value }: Values): string {
  if (key === 'paths' && pattern === 'a change') return '要求有文件变化，而没有文件变化';
  if (key === 'paths') {
    const left = leftOut(pattern);
    const wanted = left === undefined ? z(pattern) : `${z(left)}以外的文件`;
    return `要求${wanted}有变化，实际变化的是${z(value)}`;
  }
  return `要求 ${key} 为${z(pattern)}，${value === '' ? '实际没有' : `实际为${z(value)}`}`;
}

function runEn(number: unknown): string {
  return number === 0 ? 'an earlier run on this machine' : `#${number}`;
}

function runZh(number: unknown): string {
  return number === 0 ? '本机先前的一次运行' : ` #${number} `;
}

/** `input src/app` → the input "src/app". */
function reusePartEn(part: unknown): string {
  const [kind = '', name] = splitPart(part);
  return name === undefined ? (reuseWordsEn[kind] ?? kind) : `${reuseWordsEn[kind] ?? kind} ${q(name)}`;
}

function reusePartZh(part: unknown): string {
  const [kind = '', name] = splitPart(part);
  return name === undefined ? (reuseWordsZh[kind] ?? kind) : `${reuseWordsZh[kind] ?? kind} ${z(name)} `;
}

function splitPart(part: unknown): readonly [kind?: string, name?: string] {
  const text = String(part);
  const space = text.indexOf(' ');
  return space < 0 ? [text] : [text.slice(0, space), text.slice(space + 1)];
}

const placesEn: Readonly<Record<string, string>> = {
  sandbox: 'in the sandbox',
  docker: 'in the container engine',
  scripted: 'on a script, where nothing is really run',
};
const placesZh: Readonly<Record<string, string>> = {
  sandbox: '在沙箱中',
  docker: '在容器引擎中',
  scripted: '在脚本化运行时上（不执行真实步骤）',
};
const reasonsEn: Readonly<Record<string, string>> = {
  trusted: 'it is the work of people who may write to the project',
  untrusted:
    'it comes from a fork or from somebody who may not write to the project, and that never runs in the sandbox',
  'host-rights': 'a step asks for rights on its host, which the sandbox does not give',
  project: 'the project does not let steps run in the sandbox',
  installation: 'that is what this Gantry runs steps on',
  'no-sandbox': 'its runner has no sandbox',
};
const reasonsZh: Readonly<Record<string, string>> = {
  trusted: '它来自对项目有写权限的人',
  untrusted: '它来自派生仓库或没有写权限的人，这类工作绝不在沙箱中运行',
  'host-rights': '有步骤要求宿主机权限，而沙箱不提供',
  project: '项目不允许步骤在沙箱中运行',
  installation: '本 Gantry 设置为这样运行步骤',
  'no-sandbox': '它的运行器没有沙箱',
};

const approvalReasons: Readonly<Record<string, string>> = {
  outsider: 'its author may not write to the project',
  fork: 'it comes from a fork',
  'pull-request': 'the project wants that for every pull request',
  signature: 'its pipeline file does not carry the signature of the project',
};
const approvalReasonsZh: Readonly<Record<string, string>> = {
  outsider: '作者没有项目的写权限',
  fork: '它来自派生仓库',
  'pull-request': '项目要求每个合并请求都经过批准',
  signature: '它的流水线文件没有项目的有效签名',
};
const pullRequestActionsZh: Readonly<Record<string, string>> = {
  opened: '已打开',
  synchronized: '有新提交',
  edited: '已修改',
  reopened: '已重新打开',
  closed: '已关闭',
};

const en = {
  'file.chosen': (v) => `The pipeline file is ${v['path']}.`,
  'file.other-ignored': (v) => `${v['path']} was not read: ${v['chosen']} comes first.`,
  'file.missing': (v) => `Nothing ran: the commit has no pipeline file (looked for ${v['looked']}).`,
  'file.too-large': (v) => `${v['path']} has ${v['bytes']} bytes; a pipeline file may have ${v['limit']}.`,
  'file.invalid': (v) => `${v['path']}, line ${v['line']}, column ${v['column']}: ${v['message']}.`,
  'file.timeout': (v) => `Reading ${v['path']} took longer than ${seconds(v['limitMs'])} s and was given up.`,
  'file.warning': (v) => `${v['path']}, line ${v['line']}: ${v['message']}.`,
  'event.deleted-ref': (v) => `Nothing ran: ${v['ref']} was deleted.`,
  'event.skip-marker': (v) => `Nothing ran: the commit message says ${q(v['marker'])}.`,
  'event.nothing-matched': (v) => `Nothing ran: no trigger in ${v['path']} matches this event.`,
  'event.paths-since': (v) =>
    `Changed paths are those that differ from #${v['pipeline']} (${String(v['commit']).slice(0, 8)}), the last green pipeline of ${v['branch']}.`,
  'event.paths-again': (v) =>
    `Every path counts as changed: nothing differs from #${v['pipeline']} (${String(v['commit']).slice(0, 8)}), the last green pipeline of ${v['branch']}, and this is a pipeline once more.`,
  'event.paths-all': (v) => `Every path counts as changed: no pipeline of ${v['branch']} has passed yet.`,
  'event.archived': () => 'Nothing ran: the project is archived.',
  'event.switched-off': (v) => `Nothing ran: the settings of the project have switched off the event ${q(v['event'])}.`,
  'event.branch-missing': (v) =>
    `Nothing ran: the cron ${q(v['cron'])} is for the branch ${q(v['branch'])}, which is not there.`,
  'event.push-option': (v) => `Nothing ran: the push asked for it with ${q(`-o ${v['option']}`)}.`,
  'event.pull-request': (v) =>
    `Pull request #${v['number']} was ${v['action']}: ${v['source']}, branch ${q(v['branch'])}, for ${q(v['target'])}.`,
  'event.fork-ignored': (v) =>
    `Nothing ran: the settings of the project ignore pull requests from forks, and this one is from ${v['source']}.`,
  'event.target-file': (v) =>
    `The pipeline file is that of the target branch ${q(v['branch'])} (${String(v['commit']).slice(0, 8)}), as the settings of the project say.`,
  'event.untrusted': (v) =>
    v['reason'] === 'fork'
      ? `What runs is not trusted, since it comes from a fork (by ${v['by']}): no secrets, no logins of registries, caches of its own.`
      : `What runs is not trusted, since ${v['by']} may not write to the project: no secrets, no logins of registries, caches of its own.`,
  'event.webhook': (v) => `Started by the incoming webhook ${q(v['webhook'])}.`,
  'event.parameters-default': (v) => `Parameters that nobody gave have the defaults of the file: ${v['parameters']}.`,
  'event.repeats': (v) =>
    v['parameters'] === ''
      ? `This is pipeline #${v['number']} once more, started by ${v['by']}.`
      : `This is pipeline #${v['number']} once more, started by ${v['by']} with other parameters: ${v['parameters']}.`,
  'trigger.matched': (_, s) => `${s} was triggered.`,
  'trigger.event': (v, s) =>
    `${s} was skipped: its trigger wants the event ${q(v['pattern'])}, and this is ${q(v['value'])}.`,
  'trigger.branch': (v, s) =>
    `${s} was skipped: its trigger wants the branch ${q(v['pattern'])}, and this is ${q(v['value'])}.`,
  'trigger.ref': (v, s) =>
    `${s} was skipped: its trigger wants the reference ${q(v['pattern'])}, and this is ${q(v['value'])}.`,
  'trigger.repo': (v, s) =>
    `${s} was skipped: its trigger wants the repository ${q(v['pattern'])}, and this is ${q(v['value'])}.`,
  'trigger.other': (v, s) => `${s} was skipped: its trigger ${wishEn(v)}.`,
  'trigger.status': (v, s) => `${s} was skipped: it does not run on ${v['value']}.`,
  'step.matched': (_, s) => `${s} is to run.`,
  'step.native-build': (v, s) =>
    `${s} builds its image natively, with the builder of this installation${v['image'] === '' ? '' : ` instead of a container of ${q(v['image'])}`}.`,
  'step.when.event': (v, s) => `${s} was skipped: it wants the event ${q(v['pattern'])}, and this is ${q(v['value'])}.`,
  'step.when.branch': (v, s) =>
    `${s} was skipped: it wants the branch ${q(v['pattern'])}, and this is ${q(v['value'])}.`,
  'step.when.ref': (v, s) =>
    `${s} was skipped: it wants the reference ${q(v['pattern'])}, and this is ${q(v['value'])}.`,
  'step.when.repo': (v, s) =>
    `${s} was skipped: it wants the repository ${q(v['pattern'])}, and this is ${q(v['value'])}.`,
  'step.when.other': (v, s) => `${s} was skipped: it ${wishEn(v)}.`,
  'step.when.status': (v, s) =>
    v['wanted'] === 'cancelled'
      ? `${s} was skipped: it runs after a cancel, and nobody cancelled.`
      : `${s} was skipped: it runs on ${v['wanted']}, and there was ${v['actual']}.`,
  'workflow.waits-for': (v, s) => `${s} waits for ${v['workflow']}.`,
  'workflow.nothing-to-do': (_, s) => `${s} had nothing to do: every step was filtered out.`,
  'workflow.dependency-failed': (v, s) => `${s} was skipped: ${v['workflow']} ended ${v['status']}.`,
  'workflow.dependency-vanished': (v, s) => `${s} was left out: it needs ${q(v['workflow'])}, which does not run here.`,
  'workflow.no-runner': (v, s) => `${s} is blocked: no runner can take it (${v['type']}).`,
  'workflow.waits-for-runner': (v, s) => `${s} waits for a runner: no connected one has ${v['wanted']}.`,
  'workflow.no-runtime': (v, s) =>
    `${s} did not run: ${reasonsEn[String(v['reason'])] ?? v['reason']}, and no runner has a runtime that may run it (wanted: ${v['runtime']}; there: ${v['offered']}).${v['why'] ? ` ${v['why']}` : ''}`,
  'workflow.unavailable': (v, s) =>
    v['waitedMs'] === 0
      ? `${s} was skipped: no runner can take it (${v['wanted']}), and the project does not wait for one.`
      : `${s} ended: no runner came that can take it (${v['wanted']}) within ${hours(v['waitedMs'])} h.`,
  'workflow.waits-for-slot': (v, s) =>
    v['limit'] === 0
      ? `${s} waits for a runner: none is connected.`
      : `${s} waits for a slot: ${v['running']} of ${v['limit']} are taken, ${v['ahead']} ahead of it.`,
  'workflow.waits-for-concurrency': (v, s) =>
    `${s} waits: ${v['running']} of ${v['limit']} of the group ${q(v['group'])} are running (${v['by']}).`,
  'workflow.waits-for-silent-runner': (v, s) =>
    `${s} waits for the runner ${v['runner']}, which has been silent for ${seconds(v['silentMs'])} s and counts as lost after ${seconds(v['leaseMs'])} s.`,
  'workflow.claimed': (v, s) => `${s} was taken by the runner ${v['runner']}.`,
  'workflow.runner-lost': (v, s) => `${s} ended: its runner ${v['runner']} was lost, and the workspace with it.`,
  'workflow.requeued': (v, s) =>
    `${s} waits in the queue again: the runner ${v['runner']} is gone, and nothing had started.`,
  'workflow.stale-refused': (v, s) =>
    `A late report about ${s} was refused: the runner ${v['runner']} named token ${v['token']}, the present one is ${v['current']}.`,
  'workflow.superseded': (v, s) => `${s} was cancelled: pipeline #${v['number']} is newer on ${v['ref']}.`,
  'workflow.pipeline-timed-out': (v, s) =>
    `${s} timed out: a pipeline of this project may run for ${seconds(v['timeoutMs'])} s.`,
  'workflow.cancelled-by-step': (v, s) =>
    `${s} was cancelled: step ${q(v['step'])} of ${v['workflow']} failed, and its failure cancels the pipeline.`,
  'workflow.cancelled-finally': (v, s) => `${s} was ended by ${v['by']} while the steps that run after a cancel ran.`,
  'workflow.retry-not-for-event': (v, s) =>
    `${s} will not be run again by itself: "retry" does not count for the event ${q(v['event'])} unless it names it.`,
  'step.after-failure': (v, s) => `${s} was skipped: ${q(v['step'])} had failed.`,
  'step.workflow-lost': (v, s) => `${s} was skipped: the runner was lost while ${q(v['step'])} was its turn.`,
  'step.cancelled': (v, s) => `${s} was cancelled by ${v['by']}.`,
  'step.cancelled-by-step': (v, s) => `${s} was cancelled: ${q(v['step'])} failed, and its failure cancels the rest.`,
  'step.pipeline-timed-out': (v, s) =>
    `${s} was cancelled: the pipeline timed out after ${seconds(v['timeoutMs'])} s, the limit of this project.`,
  'workflow.service-silent': (v, s) =>
    `${s} went on without the service ${q(v['step'])}: nothing answered on port ${v['ports']} for ${seconds(v['limitMs'])} s.`,
  'workflow.cancelling': (v, s) =>
    `${s} is being cancelled by ${v['by']}: steps that run after a cancel may still run. A second cancel ends them at once.`,
  'step.timed-out': (v, s) => `${s} was stopped after ${seconds(v['timeoutMs'])} s: its time was over.`,
  'step.secret-missing': (v, s) => `${s} could not start: there is no secret ${q(v['secret'])} for this event.`,
  'step.secret-refused': (v, s) => `${s}: secret ${q(v['secret'])} is not given to ${refusedTo(v)}.`,
  'registry.login-refused': (v, s) =>
    `${s}: images of ${v['registry']} are pulled without its login, which is not given to ${refusedTo(v)}.`,
  'cache.off': (v, s) =>
    v['by'] === 'project'
      ? `${s} uses no caches: the settings of the project have switched them off.`
      : `${s} uses no caches: who started the pipeline asked for none.`,
  'reuse.off': (v, s) =>
    v['by'] === 'project'
      ? `${s} reuses no results: the settings of the project have switched caches off.`
      : `${s} reuses no results: who started the pipeline asked for none.`,
  'reuse.taken': (v, s) =>
    `${s} was reused from ${runEn(v['number'])}, because nothing that it depends on has changed since.`,
  'reuse.artifacts-gone': (v, s) =>
    `${s} was reused without artifacts that were deleted in this very moment: ${v['artifacts']}.`,
  'reuse.no-checkout': (_, s) => `${s} was left out, because every step of the workflow was reused.`,
  'reuse.missed-first': (_, s) => `${s} ran, because no result is kept of it that it may reuse.`,
  'reuse.missed-changed': (v, s) =>
    `${s} ran, because ${reusePartEn(v['part'])} is not what it was in ${runEn(v['number'])}.`,
  'reuse.missed-gone': (_, s) => `${s} ran, because the result that was kept of it is gone.`,
  'reuse.missed-upstream': (v, s) =>
    `${s} ran, because it starts from what step ${q(v['step'])} leaves, and nothing tells what that is: it has no "reuse", may fail unnoticed, or runs beside it.`,
  'reuse.missed-rerun': (_, s) => `${s} ran, because it was run again on purpose.`,
  'reuse.missed-image': (v, s) => `${s} ran, because nobody could tell what its image ${q(v['image'])} is now.`,
  'reuse.missed-runtime': (v, s) => `${s} ran, because the runtime ${q(v['runtime'])} keeps no results of steps.`,
  'cache.restored': (v, s) =>
    v['from'] === v['key']
      ? `${s} found its cache ${q(v['key'])}, saved by #${v['number']}.`
      : `${s} missed its cache ${q(v['key'])}, because no entry has this key, and began with ${q(v['from'])} of #${v['number']}.`,
  'cache.missed': (v, s) =>
    `${s} missed its cache ${q(v['key'])}, because no entry that it may read has this key or begins as "restore" says.`,
  'cache.missed-nearest': (v, s) =>
    `${s} missed its cache ${q(v['key'])}, because no entry has this key; the nearest is ${q(v['nearest'])}, which "restore" does not ask for.`,
  'cache.missed-image': (v, s) =>
    `${s} missed its cache ${q(v['key'])}, because ${runEn(v['number'])} saved this key in an image with another digest.`,
  'step.early-success': (v, s) =>
    v['step'] === undefined || s.includes(q(v['step']))
      ? `${s} ended the workflow early with success (exit code ${v['exitCode']}).`
      : `${s} was skipped: ${q(v['step'])} ended the workflow early with success (exit code ${v['exitCode']}).`,
  'step.nothing-beside': (_, s) => `${s} was not needed: no step was left that it would run beside.`,
  'step.dismissed': (_, s) => `${s} was ended: the last of the other steps had ended.`,
  'service.not-ready': (v, s) =>
    `${s} was not ready: nothing answered on port ${v['ports']} for ${seconds(v['limitMs'])} s, and the steps went on without it.`,
  'service.ended-early': (_, s) => `${s} ended by itself before the steps did.`,
  'runtime.chosen': (v, s) =>
    `${s} runs ${placesEn[String(v['runtime'])] ?? v['runtime']}: ${reasonsEn[String(v['reason'])] ?? v['reason']}.`,
  'approval.waiting': (v) =>
    `Nothing runs until a maintainer approves it: ${approvalReasons[String(v['reason'])] ?? ''}.`,
  'approval.given': (v) => `Approved by ${v['by']}, ${v['secrets'] ? 'with' : 'without'} secrets.`,
  'approval.known': (v) =>
    `Approved by ${v['by']} before: this very commit and configuration, for #${v['number']}, ${v['secrets'] ? 'with' : 'without'} secrets.`,
  'approval.declined': (v) => `Declined: ${v['by']} did not let it run.`,
  'approval.overtaken': (v) => `Nobody approved it before #${v['number']} came, of the same pull request.`,
  'signature.valid': (v) => `${v['path']} carries the signature of the project.`,
  'signature.missing': (v) => `${v['path']} carries no signature, and the project wants one.`,
  'signature.wrong': (v) => `The signature in ${v['path']} is not that of its text, and the project wants one.`,
  'pipeline.rerun': (v) => {
    const kept = v['kept'] === '' ? '' : ` Kept as they were: ${v['kept']}.`;
    return `Run again by ${v['by']}: ${rerunParts[String(v['what'])] ?? v['what']} (${v['again']}).${kept}`;
  },
  'pipeline.retried': (v) =>
    `Run again by itself (${v['again']}): ${q(v['step'])} ended for no fault of its own (${v['message']}), and "retry" asks for it.`,
} satisfies Sentences;

/** What was run again, as `core/trace.ts` says it. */
const rerunParts: Readonly<Record<string, string>> = {
  all: 'the whole pipeline',
  failed: 'what had not passed',
  workflow: 'a workflow and what hangs on it',
};
const rerunPartsZh: Readonly<Record<string, string>> = {
  all: '整条流水线',
  failed: '未通过的部分',
  workflow: '一个工作流及依赖它的部分',
};

const zh = {
  'file.chosen': (v) => `流水线文件为 ${v['path']}。`,
  'file.other-ignored': (v) => `未读取 ${v['path']}：${v['chosen']} 优先。`,
  'file.missing': (v) => `没有运行：此提交中没有流水线文件（已查找 ${v['looked']}）。`,
  'file.too-large': (v) => `${v['path']} 有 ${v['bytes']} 字节，流水线文件最多 ${v['limit']} 字节。`,
  'file.invalid': (v) => `${v['path']} 第 ${v['line']} 行第 ${v['column']} 列：${v['message']}。`,
  'file.timeout': (v) => `读取 ${v['path']} 超过 ${seconds(v['limitMs'])} 秒，已放弃。`,
  'file.warning': (v) => `${v['path']} 第 ${v['line']} 行：${v['message']}。`,
  'event.deleted-ref': (v) => `没有运行：${v['ref']} 已被删除。`,
  'event.skip-marker': (v) => `没有运行：提交说明中含有${z(v['marker'])}。`,
  'event.nothing-matched': (v) => `没有运行：${v['path']} 中没有与此事件匹配的触发条件。`,
  'event.paths-since': (v) =>
    `变更路径以 ${v['branch']} 最近一次通过的流水线 #${v['pipeline']}（${String(v['commit']).slice(0, 8)}）为基准。`,
  'event.paths-again': (v) =>
    `所有路径都视为已变更：与 ${v['branch']} 最近一次通过的流水线 #${v['pipeline']}（${String(v['commit']).slice(0, 8)}）没有差异，而这是再次运行。`,
  'event.paths-all': (v) => `所有路径都视为已变更：${v['branch']} 还没有通过的流水线。`,
  'event.archived': () => '没有运行：项目已归档。',
  'event.switched-off': (v) => `没有运行：项目设置中已关闭事件${z(v['event'])}。`,
  'event.branch-missing': (v) => `没有运行：定时任务${z(v['cron'])}所用的分支${z(v['branch'])}不存在。`,
  'event.push-option': (v) => `没有运行：推送时使用了${z(`-o ${v['option']}`)}选项。`,
  'event.pull-request': (v) =>
    `合并请求 #${v['number']}（${pullRequestActionsZh[String(v['action'])] ?? v['action']}）：${v['source']} 的分支${z(v['branch'])}，目标为${z(v['target'])}。`,
  'event.fork-ignored': (v) => `没有运行：项目设置忽略来自派生仓库的合并请求，而这个来自 ${v['source']}。`,
  'event.target-file': (v) =>
    `按项目设置，使用目标分支${z(v['branch'])}（${String(v['commit']).slice(0, 8)}）上的流水线文件。`,
  'event.untrusted': (v) =>
    v['reason'] === 'fork'
      ? `所运行的内容不受信任，因为它来自派生仓库（${v['by']}）：没有密钥，没有镜像仓库登录，只用自己的缓存。`
      : `所运行的内容不受信任，因为 ${v['by']} 没有项目的写权限：没有密钥，没有镜像仓库登录，只用自己的缓存。`,
  'event.webhook': (v) => `由入站 Webhook ${z(v['webhook'])}启动。`,
  'event.parameters-default': (v) => `未给出的参数使用文件中的默认值：${v['parameters']}。`,
  'event.repeats': (v) =>
    v['parameters'] === ''
      ? `这是流水线 #${v['number']} 的再次运行，由 ${v['by']} 启动。`
      : `这是流水线 #${v['number']} 的再次运行，由 ${v['by']} 更换参数后启动：${v['parameters']}。`,
  'trigger.matched': (_, s) => `${s}已触发。`,
  'trigger.event': (v, s) => `${s}已跳过：触发条件要求事件${z(v['pattern'])}，实际为${z(v['value'])}。`,
  'trigger.branch': (v, s) => `${s}已跳过：触发条件要求分支${z(v['pattern'])}，实际为${z(v['value'])}。`,
  'trigger.ref': (v, s) => `${s}已跳过：触发条件要求引用${z(v['pattern'])}，实际为${z(v['value'])}。`,
  'trigger.repo': (v, s) => `${s}已跳过：触发条件要求仓库${z(v['pattern'])}，实际为${z(v['value'])}。`,
  'trigger.other': (v, s) => `${s}已跳过：触发条件${wishZh(v)}。`,
  'trigger.status': (v, s) => `${s}已跳过：它不在状态“${v['value'] === 'success' ? '成功' : '失败'}”时运行。`,
  'step.matched': (_, s) => `${s}将会运行。`,
  'step.native-build': (v, s) =>
    `${s}由本系统的构建器原生构建镜像${v['image'] === '' ? '' : `，不启动${z(v['image'])}的容器`}。`,
  'step.when.event': (v, s) => `${s}已跳过：要求事件${z(v['pattern'])}，实际为${z(v['value'])}。`,
  'step.when.branch': (v, s) => `${s}已跳过：要求分支${z(v['pattern'])}，实际为${z(v['value'])}。`,
  'step.when.ref': (v, s) => `${s}已跳过：要求引用${z(v['pattern'])}，实际为${z(v['value'])}。`,
  'step.when.repo': (v, s) => `${s}已跳过：要求仓库${z(v['pattern'])}，实际为${z(v['value'])}。`,
  'step.when.other': (v, s) => `${s}已跳过：${wishZh(v)}。`,
  'step.when.status': (v, s) =>
    v['wanted'] === 'cancelled'
      ? `${s}已跳过：它只在取消后运行，而流水线没有被取消。`
      : `${s}已跳过：它只在${v['wanted'] === 'failure' ? '失败' : '成功'}时运行，而此前的步骤${v['actual'] === 'failure' ? '有失败' : '全部成功'}。`,
  'workflow.waits-for': (v, s) => `${s}正在等待${z(v['workflow'])}。`,
  'workflow.nothing-to-do': (_, s) => `${s}无事可做：所有步骤都被条件过滤。`,
  'workflow.dependency-failed': (v, s) => `${s}已跳过：${z(v['workflow'])}${endZh(v['status'])}。`,
  'workflow.dependency-vanished': (v, s) => `${s}已省略：它依赖的${z(v['workflow'])}此次不运行。`,
  'workflow.waits-for-runner': (v, s) => `${s}在等待运行器：已连接的运行器都没有 ${v['wanted']}。`,
  'workflow.no-runtime': (v, s) =>
    `${s}没有运行：${reasonsZh[String(v['reason'])] ?? v['reason']}，而没有运行器提供可用的运行时（需要：${v['runtime']}；现有：${v['offered']}）。${v['why'] ? `运行器说明：${v['why']}` : ''}`,
  'workflow.unavailable': (v, s) =>
    v['waitedMs'] === 0
      ? `${s}被跳过：没有运行器可以接手（${v['wanted']}），且项目设置为不等待。`
      : `${s}已结束：${hours(v['waitedMs'])} 小时内没有可以接手的运行器（${v['wanted']}）。`,
  'workflow.no-runner': (v, s) => `${s}被阻塞：没有可以接手的运行器（${v['type']}）。`,
  'workflow.waits-for-slot': (v, s) =>
    v['limit'] === 0
      ? `${s}正在等待运行器：目前没有运行器连接。`
      : `${s}正在等待空位：${v['limit']} 个中已占用 ${v['running']} 个，前面还有 ${v['ahead']} 个。`,
  'workflow.waits-for-concurrency': (v, s) =>
    `${s}正在等待：并发组${z(v['group'])}已有 ${v['running']}/${v['limit']} 个在运行（${v['by']}）。`,
  'workflow.waits-for-silent-runner': (v, s) =>
    `${s}正在等待运行器 ${v['runner']}：它已有 ${seconds(v['silentMs'])} 秒没有响应，满 ${seconds(v['leaseMs'])} 秒将视为丢失。`,
  'workflow.claimed': (v, s) => `${s}由运行器 ${v['runner']} 接手。`,
  'workflow.runner-lost': (v, s) => `${s}已结束：运行器 ${v['runner']} 丢失，工作区也随之丢失。`,
  'workflow.requeued': (v, s) => `${s}重新排队：运行器 ${v['runner']} 已离开，尚无步骤开始。`,
  'workflow.stale-refused': (v, s) =>
    `已拒绝关于${s}的过期报告：运行器 ${v['runner']} 使用令牌 ${v['token']}，当前令牌为 ${v['current']}。`,
  'workflow.superseded': (v, s) => `${s}已取消：${v['ref']} 上有更新的流水线 #${v['number']}。`,
  'workflow.pipeline-timed-out': (v, s) => `${s}已超时：此项目的流水线最多运行 ${seconds(v['timeoutMs'])} 秒。`,
  'workflow.cancelled-by-step': (v, s) =>
    `${s}已取消：${v['workflow']} 的步骤${z(v['step'])}失败，并会取消整条流水线。`,
  'workflow.cancelled-finally': (v, s) => `${s}在取消后的步骤运行期间被 ${v['by']} 再次取消，已立即结束。`,
  'workflow.retry-not-for-event': (v, s) => `${s}不会自动重新运行：retry 没有写明事件${z(v['event'])}。`,
  'step.after-failure': (v, s) => `${s}已跳过：步骤${z(v['step'])}已失败。`,
  'step.workflow-lost': (v, s) => `${s}已跳过：轮到步骤${z(v['step'])}时运行器丢失。`,
  'step.cancelled': (v, s) => `${s}已被 ${v['by']} 取消。`,
  'step.cancelled-by-step': (v, s) => `${s}已取消：步骤${z(v['step'])}失败，并会取消其余部分。`,
  'step.pipeline-timed-out': (v, s) => `${s}已取消：流水线运行 ${seconds(v['timeoutMs'])} 秒后超时，这是此项目的上限。`,
  'workflow.service-silent': (v, s) =>
    `${s}没有等到服务${z(v['step'])}就继续运行：${seconds(v['limitMs'])} 秒内端口 ${v['ports']} 没有响应。`,
  'workflow.cancelling': (v, s) => `${s}正在被 ${v['by']} 取消：取消后运行的步骤可能仍在运行，再次取消会立即结束它们。`,
  'step.timed-out': (v, s) => `${s}运行 ${seconds(v['timeoutMs'])} 秒后超时，已停止。`,
  'step.secret-missing': (v, s) => `${s}无法启动：此事件没有名为${z(v['secret'])}的密钥。`,
  'step.secret-refused': (v, s) => `${s}：密钥${z(v['secret'])}${refusedToZh(v)}。`,
  'registry.login-refused': (v, s) => `${s}：拉取 ${v['registry']} 的镜像时不使用登录信息，它${refusedToZh(v)}。`,
  'cache.off': (v, s) =>
    v['by'] === 'project' ? `${s}未使用缓存：项目设置关闭了缓存。` : `${s}未使用缓存：启动流水线时要求不用缓存。`,
  'reuse.off': (v, s) =>
    v['by'] === 'project' ? `${s} 不复用结果：项目设置关闭了缓存。` : `${s} 不复用结果：启动者要求不复用。`,
  'reuse.taken': (v, s) => `${s} 复用了${runZh(v['number'])}的结果，因为它所依赖的内容此后都没有变化。`,
  'reuse.artifacts-gone': (v, s) => `${s} 被复用，但其部分产物恰在此时被删除：${v['artifacts']}。`,
  'reuse.no-checkout': (_, s) => `${s} 没有执行，因为该工作流的所有步骤都复用了已有结果。`,
  'reuse.missed-first': (_, s) => `${s} 已运行，因为没有可供它复用的结果。`,
  'reuse.missed-changed': (v, s) => `${s} 已运行，因为${reusePartZh(v['part'])}与${runZh(v['number'])}时不同。`,
  'reuse.missed-gone': (_, s) => `${s} 已运行，因为为它保留的结果已不存在。`,
  'reuse.missed-upstream': (v, s) =>
    `${s} 已运行，因为它的起点取决于步骤 ${z(v['step'])} 留下的内容，而那无从得知：该步骤没有 “reuse”、失败可被忽略，或与它同时运行。`,
  'reuse.missed-rerun': (_, s) => `${s} 已运行，因为它是被特意重新运行的。`,
  'reuse.missed-image': (v, s) => `${s} 已运行，因为无法确定它的镜像 ${z(v['image'])} 现在是什么。`,
  'reuse.missed-runtime': (v, s) => `${s} 已运行，因为运行时 ${z(v['runtime'])} 不保留步骤结果。`,
  'cache.restored': (v, s) =>
    v['from'] === v['key']
      ? `${s}命中缓存${z(v['key'])}，由 #${v['number']} 保存。`
      : `${s}未命中缓存${z(v['key'])}，因为没有这个键的条目；以 #${v['number']} 保存的${z(v['from'])}为起点。`,
  'cache.missed': (v, s) =>
    `${s}未命中缓存${z(v['key'])}，因为它可读取的条目中没有这个键，也没有以 restore 所写前缀开头的键。`,
  'cache.missed-nearest': (v, s) =>
    `${s}未命中缓存${z(v['key'])}，因为没有这个键的条目；最接近的是${z(v['nearest'])}，但 restore 没有写它的前缀。`,
  'cache.missed-image': (v, s) =>
    `${s}未命中缓存${z(v['key'])}，因为${runZh(v['number'])}是在摘要不同的镜像中保存这个键的。`,
  'step.early-success': (v, s) =>
    s.includes(z(v['step']))
      ? `${s}提前成功结束了工作流（退出码 ${v['exitCode']}）。`
      : `${s}已跳过：步骤${z(v['step'])}提前成功结束了工作流（退出码 ${v['exitCode']}）。`,
  'step.nothing-beside': (_, s) => `${s}无需运行：没有其他步骤与它同时运行。`,
  'step.dismissed': (_, s) => `${s}已结束：其他步骤都已完成。`,
  'service.not-ready': (v, s) =>
    `${s}未就绪：${seconds(v['limitMs'])} 秒内端口 ${v['ports']} 没有响应，后续步骤已继续运行。`,
  'service.ended-early': (_, s) => `${s}在其他步骤完成之前自行退出。`,
  'runtime.chosen': (v, s) =>
    `${s}${placesZh[String(v['runtime'])] ?? `在 ${v['runtime']} 上`}运行：${reasonsZh[String(v['reason'])] ?? v['reason']}。`,
  'approval.waiting': (v) => `在维护者批准之前不会运行：${approvalReasonsZh[String(v['reason'])] ?? ''}。`,
  'approval.given': (v) => (v['secrets'] ? `${v['by']} 已批准，可使用密钥。` : `${v['by']} 已批准，不使用密钥。`),
  'approval.known': (v) =>
    `${v['by']} 已在 #${v['number']} 中批准同一提交和同一配置${v['secrets'] ? '，可使用密钥' : '，不使用密钥'}。`,
  'approval.declined': (v) => `${v['by']} 拒绝运行它。`,
  'approval.overtaken': (v) => `在有人批准之前，同一合并请求的 #${v['number']} 已到来。`,
  'signature.valid': (v) => `${v['path']} 带有项目的签名。`,
  'signature.missing': (v) => `${v['path']} 没有签名，而项目要求签名。`,
  'signature.wrong': (v) => `${v['path']} 中的签名与其内容不符，而项目要求签名。`,
  'pipeline.rerun': (v) => {
    const kept = v['kept'] === '' ? '' : `保留原结果：${v['kept']}。`;
    return `${v['by']} 重新运行了${rerunPartsZh[String(v['what'])] ?? v['what']}（${v['again']}）。${kept}`;
  },
  'pipeline.retried': (v) =>
    `已自动重新运行（${v['again']}）：${z(v['step'])}并非因自身问题结束（${v['message']}），文件中的 retry 要求重试。`,
} satisfies Sentences;

/** Whom the limits of a secret keep it from. */
function refusedTo({ limit, value }: Values): string {
  if (limit === 'trust') return 'work that the project does not trust';
  if (limit === 'approval') return 'work that the project does not trust, unless it is approved with secrets';
  if (limit === 'fork') return 'pull requests of forks';
  return limit === 'plugin' ? 'steps with commands or an environment of their own' : `${limit} ${value}`;
}

function refusedToZh({ limit, value }: Values): string {
  if (limit === 'trust') return '不提供给项目不信任的内容';
  if (limit === 'approval') return '不提供给项目不信任的内容，除非批准时允许使用密钥';
  if (limit === 'fork') return '不提供给来自派生项目的合并请求';
  const words: Record<string, string> = { event: '事件', branch: '分支', image: '镜像' };
  return limit === 'plugin'
    ? '只提供给插件，不提供给自带命令或环境变量的步骤'
    : `不提供给${words[String(limit)] ?? String(limit)} ${value}`;
}

function endZh(status: unknown): string {
  const words: Record<string, string> = { failed: '失败', cancelled: '已取消', infrastructure: '因基础设施故障结束' };
  return words[String(status)] ?? String(status);
}

const nameEn: SubjectName = (subject) => {
  if (subject.kind === 'step') return `Step ${q(subject.step)}`;
  return subject.kind === 'workflow'
    ? `Workflow ${q(subject.workflow)}`
    : subject.kind === 'file'
      ? 'The file'
      : 'The event';
};

const nameZh: SubjectName = (subject) => {
  if (subject.kind === 'step') return `步骤${z(subject.step)}`;
  return subject.kind === 'workflow' ? `工作流${z(subject.workflow)}` : subject.kind === 'file' ? '文件' : '事件';
};

/** A decision as a sentence in the reader's language. A rule without a sentence does not compile. */
export function traceSentence(entry: TraceEntry, language: 'en' | 'zh'): string {
  const sentences: Sentences = language === 'zh' ? zh : en;
  const name = language === 'zh' ? nameZh : nameEn;
  return sentences[entry.rule](entry.values, name(entry.subject));
}
