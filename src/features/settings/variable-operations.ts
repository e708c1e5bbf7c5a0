import type { VariableView } from '../../api/settings.ts';
import { GantryError } from '../../core/errors.ts';
import { findHolder, type HolderName } from '../../core/find-holder.ts';
import { type Variable, variableNameProblem } from '../../core/variable.ts';
import { auditEntry, nameOf } from '../audit-entry.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import type { SettingsDeps } from './deps.ts';

/** So many a holder may have: all of them are in the environment of every step. */
const maxVariables = 100;

/** Operations on the plain variables of projects and organisations. */
export function variableOperations({ store, clock }: SettingsDeps) {
  async function list(name: HolderName) {
    const { holder } = await findHolder(store.read, name);
    return { items: (await store.read.variables.list(holder)).map(variableView), next: null };
  }

  async function set(
    params: HolderName & { readonly name: string },
    { value }: { readonly value: string },
    request: RequestContext,
  ) {
    const { name } = params;
    const problem = variableNameProblem(name);
    if (problem !== undefined)
      throw new GantryError('VARIABLE_NAME_INVALID', `Cannot name a variable "${name}": ${problem}`, {
        details: { name },
      });
    if (value.includes('\0'))
      throw new GantryError('REQUEST_INVALID', `Cannot set the variable "${name}": its value holds a NUL`);
    const named = await findHolder(store.read, params);
    const variable: Variable = { name, value, updatedAt: clock.now(), updatedBy: nameOf(request) };
    await store.write(async (stores) => {
      const present = await stores.variables.list(named.holder);
      const before = present.find((other) => other.name === name);
      if (!before && present.length >= maxVariables)
        throw new GantryError(
          'REQUEST_INVALID',
          `Cannot add the variable "${name}": ${maxVariables} are there already`,
        );
      await stores.variables.set(named.holder, variable);
      const details = { name, old: before?.value ?? null, new: value };
      await stores.audit.append(auditEntry(request, variable.updatedAt, 'variable:set', named, details));
    });
    return variableView(variable);
  }

  async function remove(params: HolderName & { readonly name: string }, request: RequestContext) {
    const { name } = params;
    const named = await findHolder(store.read, params);
    await store.write(async (stores) => {
      if (!(await stores.variables.remove(named.holder, name)))
        throw new GantryError(
          'VARIABLE_NOT_FOUND',
          `Cannot remove the variable "${name}": the ${named.holder.kind} has none such`,
          { details: { name } },
        );
      await stores.audit.append(auditEntry(request, clock.now(), 'variable:remove', named, { name }));
    });
  }

  return {
    listVariables: ({ params }) => list(params),
    setVariable: ({ params, body }, request) => set(params, body, request),
    removeVariable: ({ params }, request) => remove(params, request),
    listOrganisationVariables: ({ params }) => list(params),
    setOrganisationVariable: ({ params, body }, request) => set(params, body, request),
    removeOrganisationVariable: ({ params }, request) => remove(params, request),
  } satisfies OperationHandlers;
}

function variableView({ name, value, updatedAt, updatedBy }: Variable): VariableView {
  return { name, value, updatedAt: updatedAt.toISOString(), updatedBy };
}
