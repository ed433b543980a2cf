/** A data set's address as people read it: a file that lies among the uploads goes by its name. */
export function dataName(address: string): string {
  return address.replace(/^upload:[0-9a-f]{64}\//, '');
}
