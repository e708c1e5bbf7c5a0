import { createHash, X509Certificate } from 'node:crypto';

/** Every Java knows it, and no Java asks for it to read certificates. */
const password = 'changeit';
const certificateEntry = 2;

/** The certificates of a PEM text, each once; what is not a certificate is left out. */
export function readCertificates(pem: string): readonly X509Certificate[] {
  const found = new Map<string, X509Certificate>();
  for (const [block] of pem.matchAll(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g)) {
    const certificate = parseCertificate(block);
    if (certificate) found.set(certificate.fingerprint256, certificate);
  }
  return [...found.values()];
}

function parseCertificate(block: string): X509Certificate | undefined {
  try {
    return new X509Certificate(block);
  } catch {
    return undefined;
  }
}

/**
 * A Java key store (JKS, version 2) that holds these certificates as trusted: what a JVM takes instead of a PEM file.
 * The same certificates give the same bytes.
 */
export function javaTrustStore(certificates: readonly X509Certificate[]): Buffer {
  const entries = certificates
    .map(({ fingerprint256, raw }) => ({ alias: fingerprint256.replaceAll(':', '').toLowerCase().slice(0, 32), raw }))
    .sort((a, b) => (a.alias < b.alias ? -1 : 1));
  const head = Buffer.concat([Buffer.from('feedfeed', 'hex'), number(2), number(entries.length)]);
  const body = Buffer.concat(
    entries.flatMap(({ alias, raw }) => [
      number(certificateEntry),
      text(alias),
      Buffer.alloc(8),
      text('X.509'),
      number(raw.length),
      raw,
    ]),
  );
  const content = Buffer.concat([head, body]);
  const digest = createHash('sha1')
    .update(Buffer.from(password, 'utf16le').swap16())
    .update('Mighty Aphrodite')
    .update(content)
    .digest();
  return Buffer.concat([content, digest]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value)]);
}
