import { fieldOf } from '../../parts/field.tsx';

/** The lines of a text field that say something. */
export function linesOf(form: FormData, name: string): string[] {
  return fieldOf(form, name)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
