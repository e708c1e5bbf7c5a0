/** The wire's types lead to interfaces of the server that mention Node's Buffer; the browser needs its name only. */
interface Buffer extends Uint8Array {}
