/** Docker cuts texts that are too long for a column, and puts an ellipsis in the last place. */
export function ellipsis(text: string, width: number): string {
  const characters = [...text]
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`
}
