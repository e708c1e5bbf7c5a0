import { isLintCode, messageInChinese } from '../lint-sentences.zh.ts';
import type { ImportNote } from './import-note.ts';

/** Each sentence of a report, and the same in Chinese. What is captured stays as it is, unless it is a sentence itself. */
const sentences: readonly (readonly [RegExp, string])[] = [
  [/^the checkout stands in (\S+)$/, '检出位于 $1'],
  [
    /^a marker such as (\[.*\]) in a message counts for pushes and pull requests, also in the title$/,
    '提交说明或标题中的 $1 等标记，对推送和合并请求都有效',
  ],
  [/^commands find the variables of GANTRY_ and DRONE_$/, '命令中可使用 GANTRY_ 和 DRONE_ 变量'],
  [/^its conditions are alternatives, so it became (\d+) pipelines$/, '其条件为多选一，因此变为 $1 条流水线'],
  [/^its conditions are alternatives, so it became (\d+) steps$/, '其条件为多选一，因此变为 $1 个步骤'],
  [
    /^its value opens once "(.*)" has brought the secret of the Drone repository$/,
    '用“$1”导入 Drone 仓库的密钥后，其值才能打开',
  ],
  [/^its runner may have further labels$/, '运行器可以带有更多标签'],
  [/^a pipeline for each set of the matrix$/, '矩阵的每一组各为一条流水线'],
  [
    /^a pipeline runs after success when none has failed by then, and waits through those that do not run$/,
    '此前没有失败时才会在成功后运行；不运行的流水线不阻碍等待',
  ],
  [
    /^its steps are a graph: each starts as soon as those that it waits for have ended$/,
    '步骤构成图：所等待的步骤一结束，步骤即开始',
  ],
  [/^a secret that is missing is an error before the first step$/, '缺少密钥时，在第一个步骤之前即报错'],
  [
    /^it asks for rights on its host: an administrator of Gantry has to trust the project with them$/,
    '它需要主机上的权限：须由 Gantry 管理员将项目设为受信任',
  ],
  [
    /^that a folder of its host is read-only: here the step may write to it$/,
    '主机文件夹只读这一点：在这里步骤可以写入',
  ],
  [/^its failure cancels its own workflow, and not the others$/, '失败时取消自身的工作流，不取消其他工作流'],
  [/^its name is taken, so it is "(.*)"$/, '名称已被占用，改为“$1”'],
  [/^the value of (.*) stands in quotes, which it may not hold itself$/, '$1 的值位于引号中，值本身不能包含引号'],
  [
    /^it names (.*), which \.gantry\.yml does not set for commands: use a variable of GANTRY_ or DRONE_$/,
    '它使用了 $1，.gantry.yml 不为命令设置这些变量：请改用 GANTRY_ 或 DRONE_ 变量',
  ],
  [
    /^the pattern of "(.*)" is read by the rules of \.gantry\.yml, where .*$/,
    '“$1”的模式按 .gantry.yml 的规则读取，其中“**”、花括号和方括号的含义略多',
  ],
  [/^"branch" is compared for tags too, with the name of the tag$/, '“branch”也用于标签，与标签名比较'],
  [/^"cron" is compared for every event$/, '“cron”在每种事件中都会比较'],
  [/^"paths" counts at every event of which the change is known$/, '凡是已知变更内容的事件，“paths”都有效'],
  [
    /^"paths" is left out, since Drone does not look at it: add it where it is meant$/,
    'Drone 不读取“paths”，因此已略去：需要时请自行加上',
  ],
  [/^whether it runs is not the same at (\S+) of (\S+)$/, '是否运行与原来不同（事件 $1，分支 $2）'],
  [
    /^whether it runs after a failure is not the same at (\S+) of (\S+)$/,
    '失败后是否运行与原来不同（事件 $1，分支 $2）',
  ],
  [/^what it runs is not the same at (\S+) of (\S+)$/, '运行的内容与原来不同（事件 $1，分支 $2）'],
  [/^what it waits for is not the same at (\S+) of (\S+)$/, '所等待的对象与原来不同（事件 $1，分支 $2）'],
];

/** What a condition that is not carried is about. */
const conditions: readonly (readonly [RegExp, string])[] = [
  [
    /^alternatives that may hold together: write them as one condition, or as steps of their own$/,
    '可能同时成立的多个选项：请写成一个条件，或分成多个步骤',
  ],
  [/^patterns as events: name the events$/, '事件使用了模式：请写明事件'],
  [
    /^"(.*)": there is no such condition, since all steps run on the host's platform$/,
    '“$1”：没有这种条件，因为所有步骤都在主机的平台上运行',
  ],
  [/^"ignore_message" and "on_empty" of "path"$/, '“path”的“ignore_message”和“on_empty”'],
  [
    /^"matrix": write the condition out for each of the pipelines that came of the matrix$/,
    '“matrix”：请在由矩阵得到的每条流水线中写明条件',
  ],
  [/^"(.*)"$/, '“$1”'],
];

const subjects: readonly (readonly [RegExp, string])[] = [
  [/^file$/, '文件'],
  [/^pipeline "(.*)"$/, '流水线“$1”'],
  [/^step "(.*)"$/, '步骤“$1”'],
  [/^secret "(.*)"$/, '密钥“$1”'],
];

/** A note of a report in Chinese. */
export function noteInChinese({ subject, texts, ...note }: ImportNote): ImportNote {
  const isFinding = isLintCode(subject);
  return {
    ...note,
    subject: said(subjects, subject) ?? subject,
    texts: texts.map((text) => (isFinding ? messageInChinese(subject, text, '') : sentenceInChinese(text))),
  };
}

function sentenceInChinese(text: string): string {
  const condition = /^its condition (.*); until then it never runs$/s.exec(text)?.[1];
  if (condition !== undefined) return `其条件未能转换，补写之前不会运行：${said(conditions, condition) ?? condition}`;
  const refusal = /^what it does \((.*)\); until then it never runs$/s.exec(text)?.[1];
  if (refusal !== undefined) return `其内容未能转换，补写之前不会运行（${refusal}）`;
  return said(sentences, text) ?? text;
}

function said(table: readonly (readonly [RegExp, string])[], text: string): string | undefined {
  const found = table.find(([pattern]) => pattern.test(text));
  return found && text.replace(...found);
}
