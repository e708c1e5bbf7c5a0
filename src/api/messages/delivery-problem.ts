import type { DeliveryFault, DeliveryTry } from '../../core/webhook.ts';

const en: Readonly<Record<DeliveryFault, string>> = {
  'address-refused': 'Not sent: its address is not a public one, and the settings of this Gantry do not allow it',
  'name-unknown': 'The name of the receiver could not be found',
  'timed-out': 'The receiver did not answer in time',
  'connection-failed': 'The receiver could not be reached',
  'secret-unreadable': 'Not sent: the secret could not be opened; the key file of this Gantry is another one',
  'queue-full': 'Not sent: too many deliveries were waiting',
  'switched-off': 'Not sent any more: the webhook was switched off',
};

const zh: Readonly<Record<DeliveryFault, string>> = {
  'address-refused': '未发送：目标不是公网地址，且本 Gantry 的设置不允许访问',
  'name-unknown': '无法解析接收方的域名',
  'timed-out': '接收方没有及时应答',
  'connection-failed': '无法连接接收方',
  'secret-unreadable': '未发送：无法解开密钥，本 Gantry 的密钥文件与写入时不同',
  'queue-full': '未发送：等待投递的消息过多',
  'switched-off': '不再发送：Webhook 已停用',
};

/** Why a try failed, as a sentence; `undefined` when it did not. */
export function deliveryProblem({ status, fault, message }: DeliveryTry, language: 'en' | 'zh'): string | undefined {
  const isZh = language === 'zh';
  if (fault !== undefined) {
    const sentence = (isZh ? zh : en)[fault];
    if (message === undefined) return isZh ? `${sentence}。` : `${sentence}.`;
    return isZh ? `${sentence}（${message}）。` : `${sentence} (${message}).`;
  }
  if (status === undefined || (status >= 200 && status < 300)) return undefined;
  if (status >= 300 && status < 400)
    return isZh
      ? `接收方以 ${status} 要求重定向，不会跟随。`
      : `The receiver answered ${status}, a redirect, which is not followed.`;
  if (status === 410) return isZh ? '接收方应答 410：它已不存在。' : 'The receiver answered 410: it is gone.';
  return isZh ? `接收方应答 ${status}。` : `The receiver answered ${status}.`;
}
