import { createHash } from 'node:crypto';
import { languageRecipes } from './language-recipes.ts';
import { type Recipe, recipeVersion } from './recipe.ts';
import { systemRecipes } from './system-recipes.ts';

/** Every image that is composed here. Of several with one name the first is what no tag means. */
export const recipes: readonly Recipe[] = [...systemRecipes, ...languageRecipes];

/** The recipe of `base/node:24`, `base/node`; `undefined` when there is none of this name and tag. */
export function findRecipe(reference: string): Recipe | undefined {
  const [name, tag] = reference.split(':') as [string, string | undefined];
  return recipes.find((recipe) => recipe.name === name && (tag === undefined || recipe.tags.includes(tag)));
}

/** Changes with the recipe, with those below it and with the method: an image of another one is composed again. */
export function recipeDigest(recipe: Recipe): string {
  const { layerMb: _, ...method } = recipe;
  const parent = recipe.parent === undefined ? undefined : findRecipe(recipe.parent);
  return createHash('sha256')
    .update(JSON.stringify([recipeVersion, method, parent && recipeDigest(parent)]))
    .digest('hex');
}

/** Every tag of a name, or every name with its first tags when there is none: what a message offers instead. */
export function offeredInstead(reference: string): string {
  const name = reference.split(':')[0];
  const tags = recipes.filter((recipe) => recipe.name === name).flatMap((recipe) => recipe.tags);
  if (tags.length > 0) return `${name} has the tags ${tags.join(', ')}`;
  return `there are ${[...new Set(recipes.map((recipe) => recipe.name))].join(', ')}`;
}
