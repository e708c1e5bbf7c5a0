import type { PipelineStatus } from '../core/pipeline.ts';

/** What `npm run up` says. */
export interface UpTexts {
  readonly language: 'en' | 'zh';
  readonly buildingInterface: string;
  readonly composingImage: (image: string) => string;
  readonly preparingData: string;
  readonly startingServer: string;
  readonly pushingExample: (address: string) => string;
  readonly stopping: string;
  readonly pipelineEnded: (number: number, project: string, status: PipelineStatus) => string;
  /** Behind the command that tells what this host lacks. */
  readonly whatLacks: string;
  readonly serverEnded: (log: string) => string;
  readonly next: string;
  readonly open: string;
  readonly signIn: string;
  readonly asAdmin: string;
  readonly asAdminAsBefore: string;
  readonly password: string;
  readonly shownOnce: string;
  readonly push: string;
  readonly pushHow: string;
  readonly data: string;
  readonly stop: string;
}

const en: UpTexts = {
  language: 'en',
  buildingInterface: 'Building the web interface',
  composingImage: (image) => `Composing the base image ${image}`,
  preparingData: 'Preparing the data folder',
  startingServer: 'Starting the server',
  pushingExample: (address) => `Pushing the example to ${address}`,
  stopping: 'Stopping',
  pipelineEnded: (number, project, status) => `pipeline ${number} of ${project}: ${status}`,
  whatLacks: 'it names what this user lacks here for steps',
  serverEnded: (log) => `The server ended; ${log} says why.`,
  next: 'next ',
  open: 'Open     ',
  signIn: 'Sign in  ',
  asAdmin: 'as admin',
  asAdminAsBefore: 'as admin, with the password shown at the first start',
  password: 'Password ',
  shownOnce: 'shown this once',
  push: 'Push     ',
  pushHow: 'create the project on the page first',
  data: 'Data     ',
  stop: 'Stop     ',
};

const statusesZh: Readonly<Record<PipelineStatus, string>> = {
  blocked: '已阻塞',
  queued: '排队中',
  running: '运行中',
  passed: '通过',
  failed: '失败',
  cancelled: '已取消',
  infrastructure: '基础设施故障',
};

const zh: UpTexts = {
  language: 'zh',
  buildingInterface: '构建网页界面',
  composingImage: (image) => `合成基础镜像 ${image}`,
  preparingData: '准备数据目录',
  startingServer: '启动服务器',
  pushingExample: (address) => `推送示例项目到 ${address}`,
  stopping: '正在停止',
  pipelineEnded: (number, project, status) => `${project} 的流水线 ${number}：${statusesZh[status]}`,
  whatLacks: '说明当前用户运行步骤还缺少什么',
  serverEnded: (log) => `服务器已退出，原因见 ${log}。`,
  next: '下一步',
  open: '打开  ',
  signIn: '登录  ',
  asAdmin: '用户名 admin',
  asAdminAsBefore: '用户名 admin，密码为首次启动时显示的密码',
  password: '密码  ',
  shownOnce: '仅显示这一次',
  push: '推送  ',
  pushHow: '请先在页面上创建项目',
  data: '数据  ',
  stop: '停止  ',
};

export const upTexts: Readonly<Record<'en' | 'zh', UpTexts>> = { en, zh };
