import type { TraceEntry } from '../core/trace.ts';
import { lintHints } from './lint-hints.ts';
import { type Finding, placeText } from './lint-report.ts';
import type { LintCode } from './lint-rules.ts';

/** Each rule as a sentence without its end point; the names that a finding is about follow it. */
const sentences: Readonly<Record<LintCode, string>> = {
  'file.empty': '文件中没有流水线文档',
  'file.too-large': '流水线文件最大为 256 KiB',
  'file.program': '此文件是程序（Jsonnet、Starlark），未能运行完毕，或此处无法运行',
  'file.findings-cut': '检查结果过多，未全部列出：请先修正前面的',
  'include.failed': '“include”所指的内容无法取得或读取',
  'file.other-document': 'Woodpecker 只读取文件中的第一个文档',
  'yaml.syntax': '文本不是正确的 YAML',
  'yaml.limit': '文档嵌套过深，或别名展开的次数过多',
  'yaml.duplicate-key': '映射中的键重复',
  'yaml.key': '映射的键不是普通文本',
  'yaml.tag': 'YAML 标签在这里没有意义',
  'yaml.merge': '“<<”只能合并一个映射或映射的列表',
  'substitution.syntax': '“${…}”无法解析；它会在 shell 之前被替换，要留给 shell 请写“$${…}”',
  'substitution.unknown-name': '“${…}”中的名称在读取文件时未知，将被替换为空；要留给 shell 请写“$${…}”或“$名称”',
  'substitution.frozen': '替换“${…}”时状态和时间尚未确定；请写“$名称”，由 shell 读取',
  'substitution.no-effect': '“trigger”“depends_on”“type”“kind”在替换之前读取，其中的“${…}”不会被替换',
  'substitution.name': '流水线的名称中不能有“${…}”',
  'substitution.unsafe-value':
    '分支、标签、提交说明或作者中含有会改变脚本的字符；请写“"$名称"”，由 shell 当作一个值读取',
  'document.kind': '文档的“kind”未知',
  'document.kind-missing': '文档有步骤但没有“kind: pipeline”；Drone 会拒绝，这里按流水线读取',
  'document.kind-unsupported': 'Gantry 不支持这种文档',
  'secret.value': '文件中的密钥没有值，或值不是文本',
  'secret.closed': '文件中的密钥无法用本项目的密钥打开；可用所列命令重新加密或导入密钥',
  'secret.duplicate': '文件中有两个同名的密钥，以第一个为准',
  'secret.stored': '项目中保存着同名的密钥；在可以使用它的步骤中，以保存的为准',
  'document.kind-no-effect': '这种文档不起作用',
  'document.shape': '文档不是映射',
  'document.unread': '同一行中“---”之后的文本，以及以“...”开头的行之后的文本，不会被读取',
  'dialect.unsupported': '此文件属于 Gantry 尚不能运行的系统',
  'key.unknown': '未知的键',
  'key.unsupported': '已知的键，但 Gantry 不支持',
  'key.no-effect': '已知的键，但在这里不起作用',
  'key.deprecated': '此键在其系统的新版本中已改名，仍可使用',
  'value.type': '值的类型不正确',
  'value.scalar-for-list': '这里应为列表却只有单个值；Drone 会拒绝，这里当作只有一项的列表',
  'value.unknown': '值不在该键允许的范围内',
  'value.unknown-default': '值不在该键允许的范围内，Drone 会使用默认值',
  'workflow.name-duplicate': '文件中有两条流水线同名',
  'workflow.name-invalid': '名称须为 1 到 100 个字符，且不含控制字符',
  'workflow.dependency-unknown': '“depends_on”指向文件中没有的流水线',
  'workflow.cycle': '流水线互相等待，形成循环',
  'workflow.type': '没有执行器接受这种类型的流水线：它会被阻塞，其他的照常运行',
  'workflow.exec': '“type: exec”的流水线在 base/debian 容器中运行：不会直接在机器的 shell 中运行',
  'workflow.platform': '平台指向没有任何执行器能运行的系统：“os”为 linux 或 windows，“arch”为 amd64、arm64、arm 等',
  'workflow.no-steps': '流水线没有步骤',
  'workflow.workspace-reserved': '工作区会遮住系统文件夹，改用默认位置',
  'workflow.too-many': '一个文件最多 200 个文档、1,000 个步骤，矩阵展开后的文本最多 4 MiB',
  'step.name-missing': '步骤没有名称',
  'step.name-invalid': '步骤名称须为 1 到 100 个字符，不含控制字符，且不能是“clone”',
  'step.name-duplicate': '流水线中有两个步骤同名',
  'step.image-missing': '步骤没有镜像',
  'step.command-map': '命令中含有“: ”，被读成了映射：请给整行加上引号',
  'step.commands-and-entrypoint': '有“commands”时“entrypoint”和“command”不起作用',
  'step.settings-and-commands': '步骤同时有插件参数和命令；在 Drone 0.8 中，写错的键会被当作插件参数',
  'step.settings-and-environment': '步骤同时有插件参数和环境变量，插件不会读取后者',
  'step.dependency-unknown': '“depends_on”指向流水线中没有的步骤',
  'step.dependency-later': '“depends_on”指向后面才定义的步骤；这里可以，Drone 会拒绝',
  'step.dependency-on-clone': '已停用 clone，却写了“depends_on: [clone]”：予以忽略',
  'step.dependency-on-service': '“depends_on”指向服务；Drone 会拒绝，这里每个步骤本来就等待所有服务',
  'step.dependency-filtered': '“depends_on”指向被条件排除的步骤；Woodpecker 会拒绝，请写“optional: true”',
  'step.cycle': '步骤互相等待，形成循环',
  'step.timeout': '超时须为“90s”“1h30m”这样的时长，最长 7 天',
  'step.host-name': '服务的名称不能用作主机名，步骤只能通过 localhost 访问它',
  'step.untrusted': '步骤要求使用主机的权限，而项目未被信任：可由站点管理员更改',
  'step.privileged': '步骤不能以特权运行：镜像不在允许的清单中，或步骤带有会改变镜像行为的命令、入口、卷或变量',
  'step.host-rights': '步骤要求的权限，只有受管理员信任的项目才会得到',
  'volume.name': '卷没有可用的名称，或与其他卷同名',
  'volume.unknown': '步骤使用了流水线中没有的卷',
  'volume.host-path': '卷指向步骤不得访问的主机文件夹，或路径不正确',
  'volume.path': '卷会落在工作区内，或遮住镜像的文件夹',
  'volume.not-kept': '命名卷在每个工作流开始时是空的，而 Drone 0.8 和 Woodpecker 会保留其内容',
  'artifact.invalid': '产物或“use”中的一项没有可用的名称、保留时间或“when”，或数量过多',
  'artifact.path': '产物没有工作区内的路径，或会放到别处',
  'artifact.duplicate': '两个步骤产出同名的产物',
  'artifact.unknown': '工作流使用了没有其他工作流产出的产物',
  'build.beside': '带“build”的步骤不运行自己的命令：请把命令放到其他步骤',
  'build.no-builder': '步骤要构建镜像，而此处没有可用的构建器：该步骤会失败',
  'build.platform': '步骤要为不同于构建器的平台构建镜像',
  'build.secret-argument': '密钥作为构建参数会留在镜像中可被读取：请用“RUN --mount=type=secret”',
  'build.setting': '构建镜像的插件的这个参数不起作用：镜像由 Gantry 直接构建',
  'cache.key': '缓存的键或“restore”中的一项无法解析：可用文本、“${…}”和“{{ checksum "文件" }}”',
  'cache.path': '缓存没有路径，或其路径会遮住工作区、镜像的文件夹、卷或另一条路径',
  'cache.file-missing': '缓存的键引用了提交中没有的文件的校验和',
  'reuse.inputs': '可复用的步骤没有写明读取什么，或其中一项不是仓库内的路径或模式',
  'reuse.outputs': '可复用步骤的输出不是工作区内的文件或文件夹路径',
  'reuse.not-possible': '此步骤不能复用：它使用密钥、有卷、与其他步骤并行，或在失败后运行',
  'environment.name': '变量名为空，或含有“=”或 NUL 字符',
  'environment.empty-dropped': 'Drone 不会设置值为空的变量',
  'environment.map-dropped': '变量是没有“from_secret”的映射',
  'secret.name': '“from_secret”没有写明密钥',
  'condition.bare-value': '“include”或“exclude”下是单个值；Drone 会悄悄忽略，这里当作只有一项的列表',
  'condition.glob': '模式的写法不正确，因此永远不会匹配',
  'condition.paths': 'Drone 不看“paths”，因此它不起作用；在 .gantry.yml 中才起作用',
  'condition.expression': '“evaluate”的表达式无法解析，或没有结果',
  'condition.no-event': '条件没有写明事件，因此匹配所有事件，包括合并请求和标签',
  'clone.submodules': '检出时没有获取子模块，“submodule_override”不起作用',
  'clone.refused': '检出设置指向工作区之外，或指向无法通过 HTTP 获取的位置',
  'condition.not-evaluated': 'Drone 在这里不看此条件',
  'matrix.axis-ignored': '矩阵的轴没有值',
  'matrix.axis-type': '矩阵的轴不是列表，或没有可用的名称',
  'matrix.axis-empty': '.gantry.yml 中矩阵的轴没有值',
  'matrix.axis-name': '轴的名称不能用作变量名',
  'matrix.axis-unknown': '“exclude”中的一组使用了矩阵没有的轴',
  'matrix.cut': '矩阵最多 12 个轴、27 组值；其余被舍弃',
  'matrix.empty': '矩阵没有任何一组值：什么也不会运行',
  'matrix.substitution': '矩阵的值中有“${…}”，而矩阵在替换之前读取',
  'matrix.too-large': '.gantry.yml 的矩阵最多 12 个轴、200 组值',
  'matrix.value-duplicate': '矩阵的轴中有重复的值',
  'parameter.name': '参数没有可用的名称，或使用了 Gantry 设置的名称',
  'parameter.name-duplicate': '文件中两个文档有同名的参数',
  'parameter.options': '选择型参数需要选项，其他类型不能有选项',
  'parameter.pattern': '参数的模式无法解析，或参数不是文本',
  'parameter.default': '参数的默认值不在允许的范围内',
  'parameter.too-many': '一个文件最多 50 个参数，每个最多 100 个选项，文本最长 500 个字符',
  'parameter.value': '事件给参数的值不在允许的范围内',
};

const hints: Readonly<Partial<Record<LintCode, string>>> = {
  'file.empty': '以“kind: pipeline”开始一个文档，写上“steps”，并给每个步骤写上“image”和“commands”',
  'file.too-large': '把脚本移到仓库的文件中，在“commands”里调用',
  'yaml.syntax': '检查本行和上一行的缩进与引号；含有“: ”或“#”的文本请加引号',
  'yaml.limit': '把锚点和别名重复的内容直接写出来',
  'yaml.duplicate-key': '只保留其中一个',
  'yaml.key': '把键写成普通文本',
  'yaml.tag': '去掉标签',
  'yaml.merge': '写成“<<: *锚点”，锚点所在处须为映射',
  'substitution.syntax': '要让 shell 看到“${…}”请写“$${…}”，要给默认值请写“${NAME:-默认值}”',
  'substitution.no-effect': '直接写出值，或把条件移到步骤的“when”',
  'document.kind': '写“kind: pipeline”',
  'document.kind-missing': '在文档开头写“kind: pipeline”',
  'document.shape': '把文档写成“键: 值”的行，以“kind: pipeline”开始',
  'document.unread': '让“---”单独占一行',
  'key.unsupported': '去掉此键，或改用其他做法',
  'key.no-effect': '去掉此键',
  'value.scalar-for-list': '写成列表：单独一行“- 值”，或“[值]”',
  'workflow.name-duplicate': '给文件中的每条流水线不同的名称',
  'workflow.dependency-unknown': '写此文件中某条流水线的“name”',
  'workflow.cycle': '从“depends_on”中去掉其中一个',
  'workflow.no-steps': '添加一个步骤：“- name: test”“image: …”和“commands: […]”',
  'step.name-missing': '添加“name: …”',
  'step.name-duplicate': '给每个步骤不同的名称',
  'step.image-missing': '添加“image: …”，例如“image: base/node:24”',
  'step.command-map': '给整条命令加引号：- \'echo "a: b"\'',
  'step.commands-and-entrypoint': '保留“commands”，或去掉它而保留另外两个',
  'step.dependency-unknown': '写此流水线中某个步骤的“name”',
  'step.cycle': '从“depends_on”中去掉其中一个',
  'step.dependency-filtered': '写“depends_on: [{name: …, optional: true}]”',
  'step.settings-and-commands': '步骤要么运行带参数的插件，要么运行命令：保留其一',
  'environment.name': '写成 NAME: 值，名称由字母、数字和“_”组成',
  'environment.map-dropped': '写 {from_secret: 名称}，或把值写成带引号的文本',
  'secret.name': '写 {from_secret: 名称}',
  'condition.bare-value': '写成列表：[值]',
  'condition.glob': '补上方括号或花括号，或在它前面加“\\\\”',
  'condition.no-event': '添加“event: push”，或所需的事件',
  'parameter.name': '由字母、数字和“_”组成，且不以 GANTRY_、DRONE_、CI_ 或 PLUGIN_ 开头',
  'parameter.name-duplicate': '只保留一个：它的值对文件的所有文档都有效',
  'parameter.options': '写“type: choice”和“options: [a, b]”',
  'matrix.axis-empty': '给它值，或去掉此轴',
  'matrix.axis-name': '由字母、数字和“_”组成，例如 NODE_VERSION',
  'matrix.axis-unknown': '写矩阵中已有的轴，名称与矩阵中一致',
  'matrix.axis-type': '把轴写成列表：NAME: [a, b]',
  'matrix.empty': '从“exclude”中去掉一组',
  'matrix.value-duplicate': '只保留其中一个',
  'key.deprecated': '下次修改文件时改用提示中的新名称',
};

/** Rules of which the finding itself tells more than names: what it says stays beside the sentence. */
const explained: ReadonlySet<LintCode> = new Set([
  'include.failed',
  'file.program',
  'yaml.syntax',
  'yaml.limit',
  'substitution.syntax',
  'key.unsupported',
  'key.no-effect',
  'value.type',
  'condition.expression',
  'cache.key',
  'cache.path',
  'step.untrusted',
  'step.privileged',
  'volume.host-path',
  'parameter.pattern',
  'parameter.default',
  'parameter.value',
] satisfies LintCode[]);

const maxNames = 6;

/** The finding as people read it in Chinese: its rule and what it is about. Codes and places stay. */
export function findingInChinese<Found extends Pick<Finding, 'code' | 'message' | 'hint' | 'included'>>(
  finding: Found,
): Found {
  const { code, hint, included } = finding;
  const meant = /^did you mean "([^"]+)"\?$/.exec(hint ?? '')?.[1];
  const translated =
    meant !== undefined ? `是否想写“${meant}”？` : hint === lintHints[code] ? (hints[code] ?? hint) : hint;
  return {
    ...finding,
    message: messageInChinese(code, finding.message, placeText(included)),
    ...(translated !== undefined && { hint: translated }),
  };
}

/** What a finding of this rule says, with the place that its message begins with. A rule of old leaves it as it is. */
export function messageInChinese(code: string, message: string, place: string): string {
  if (!isLintCode(code)) return message;
  const said = message.slice(place.length);
  const names = [...new Set(said.matchAll(/"([^"]+)"/g).map(([, name]) => name ?? ''))];
  const about = explained.has(code)
    ? `（${said}）`
    : names.length > 0
      ? `：${names.slice(0, maxNames).join('、')}${names.length > maxNames ? '…' : ''}`
      : '';
  return `${place}${sentences[code]}${about}`;
}

/** What a trace says of the file, with the finding in Chinese; other entries as they are. */
export function traceInChinese(entry: TraceEntry): TraceEntry {
  const { code, message, within } = entry.values;
  if (code === undefined || message === undefined) return entry;
  const place = within === undefined ? '' : `${within}: `;
  return { ...entry, values: { ...entry.values, message: messageInChinese(String(code), String(message), place) } };
}

export function isLintCode(code: string): code is LintCode {
  return Object.hasOwn(sentences, code);
}
