local pipeline(version) = {
  kind: 'pipeline',
  type: 'docker',
  name: 'go-' + version,
  steps: [
    {
      name: 'test',
      image: 'golang:' + version,
      commands: ['echo go ' + version],
    },
  ],
};

[pipeline(version) for version in ['1.21', '1.22']]
