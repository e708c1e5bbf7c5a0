/** private: members only · internal: everyone who is signed in · public: everyone. */
export const visibilities = ['private', 'internal', 'public'] as const;
export type Visibility = (typeof visibilities)[number];
