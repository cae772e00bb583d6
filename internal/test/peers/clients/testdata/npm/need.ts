// A value that must be there, by the type that it has then.
export function need<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) {
    throw new Error(`${what} is missing`);
  }
  return value;
}

// What every PDF begins with.
export function isPdf(content: ArrayBuffer): boolean {
  return new TextDecoder().decode(content.slice(0, 5)) === "%PDF-";
}

export const base = need(process.env["API"], "API");
