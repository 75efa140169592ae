// The place that a cursor names (proto/bus.md 8): its last eight bytes.
export function seqOf(cursor) {
  return Number(Buffer.from(cursor, 'base64url').readBigUInt64BE(17));
}
