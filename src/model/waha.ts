/** These WhatsApp sessions need a person with the phone: a restart would only show another code. */
export function needsPerson(status: string): boolean {
  return status === 'SCAN_QR_CODE' || status.startsWith('PASSKEY');
}
