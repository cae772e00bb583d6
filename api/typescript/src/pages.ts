/** A page of a list, as every list of the API has it. */
export interface Page<T> {
  items: T[];
  next_cursor?: string;
}

/**
 * Goes through the items of a list, and asks for a page only when it is reached:
 * `for await (const c of all((cursor) => ok(api.GET("/contributors", { params: { query: { ...cursor } } }))))`.
 * The argument is `{}` for the first page, then `{ cursor }`.
 */
export async function* all<T>(fetchPage: (cursor: { cursor?: string }) => Promise<Page<T>>): AsyncGenerator<T, void, undefined> {
  let cursor: { cursor?: string } = {};
  for (;;) {
    const page = await fetchPage(cursor);
    yield* page.items;
    if (page.next_cursor === undefined) {
      return;
    }
    cursor = { cursor: page.next_cursor };
  }
}
