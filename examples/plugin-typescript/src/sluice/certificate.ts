// Mutual TLS as go-plugin does it: Sluice passes its certificate in the
// environment, the plugin makes one of its own and sends it back in the handshake.
// Both live as long as the process.
import 'reflect-metadata'; // @peculiar/x509 needs it, and first
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { ServerCredentials } from '@grpc/grpc-js';

export interface Identity {
  credentials: ServerCredentials;
  /** For the handshake: base64 without padding; empty without TLS. */
  certificate: string;
}

export async function makeIdentity(clientCertificate: string | undefined): Promise<Identity> {
  if (!clientCertificate) return { credentials: ServerCredentials.createInsecure(), certificate: '' };
  const crypto = webcrypto;
  x509.cryptoProvider.set(crypto);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    notBefore: new Date(now - 60_000), // clocks are read in seconds
    notAfter: new Date(now + 30 * 365 * 24 * 3600_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      // The other end asks for this name, and takes the certificate for its root.
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    ],
  }, crypto);
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    credentials: ServerCredentials.createSsl(Buffer.from(clientCertificate), [{
      cert_chain: Buffer.from(certificate.toString('pem')),
      private_key: Buffer.from(`-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`),
    }], true),
    certificate: Buffer.from(certificate.rawData).toString('base64').replace(/=+$/, ''),
  };
}
