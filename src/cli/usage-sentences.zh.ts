/** What commander 15 says of a call that it cannot read, and the same in Chinese; what is quoted stays as it is. */
const sentences: readonly (readonly [RegExp, string])[] = [
  [/^missing required argument '(.*)'/, '缺少参数“$1”'],
  [/^option '(.*)' argument missing/, '选项“$1”缺少值'],
  [/^required option '(.*)' not specified/, '缺少必需的选项“$1”'],
  [/^unknown option '(.*)'/, '没有选项“$1”'],
  [/^unknown command '(.*)'/, '没有命令“$1”'],
  [/^too many arguments.*Expected (\d+) arguments? but got (\d+).*/, '参数过多：需要 $1 个，给出了 $2 个'],
  [/^option '(.*)' argument '(.*)' is invalid\./, '选项“$1”的值“$2”无效。'],
  [/^command-argument value '(.*)' is invalid for argument '(.*)'\./, '参数“$2”的值“$1”无效。'],
  [/Allowed choices are (.*)\.$/m, '可选：$1。'],
  [/\(Did you mean (?:one of )?(.*)\?\)/, '（是否想输入 $1？）'],
];

/** A message of commander in Chinese, line by line; what is not known stays as it came. */
export function usageInChinese(message: string): string {
  return sentences.reduce((text, [pattern, sentence]) => text.replace(pattern, sentence), message);
}
