/** What the command line touches of the world: handed in, so that tests can be the world. */
export interface CliIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingFolder: string;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: InputStream;
  /** Shows a page to the person at this computer; answers whether something was there to show it. */
  openBrowser(address: string): Promise<boolean>;
  wait(ms: number): Promise<void>;
  /** Calls back for each such signal instead of ending; answers how to stop listening. SIGINT is Ctrl-C. */
  onSignal(signal: 'SIGINT' | 'SIGTERM', listener: () => void): () => void;
}

export interface OutputStream {
  readonly isTerminal: boolean;
  /** Width of the terminal in characters. */
  readonly columns: number;
  /** Resolves once the reader has room again. */
  write(bytes: string | Uint8Array): Promise<void>;
}

export interface InputStream {
  readonly isTerminal: boolean;
  readAll(): Promise<string>;
}
